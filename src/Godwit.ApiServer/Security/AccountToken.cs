using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Godwit.ApiServer.Security;

/// <summary>What a token of a service account says: whose it is, for whom, from when until when, and what it ends with.</summary>
internal sealed record AccountToken
{
    /// <summary>Who gives tokens out; also whom one is meant for that names nobody else: this cluster's API server.</summary>
    public const string Issuer = "https://kubernetes.default.svc.cluster.local";

    public required string Namespace { get; init; }

    public required NamedUid Account { get; init; }

    public required IReadOnlyList<string> Audiences { get; init; }

    public required DateTimeOffset IssuedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>The token's own name, which may be told where the token may not.</summary>
    public required string Id { get; init; }

    /// <summary>The pod that it ends with, or null.</summary>
    public NamedUid? Pod { get; init; }

    /// <summary>The secret that it ends with, or null.</summary>
    public NamedUid? Secret { get; init; }

    /// <summary>The node of the pod, or null.</summary>
    public string? Node { get; init; }
}

internal readonly record struct NamedUid(string Name, string Uid);

/// <summary>
/// Writes and reads account tokens: JSON Web Tokens (RFC 7519) in the compact form, signed with ECDSA on P-256 (ES256, RFC 7518
/// section 3.4) by a key that nothing else is signed with. The claims are Kubernetes' (<c>kubernetes.io</c> and the registered ones).
/// One algorithm and one key: what a token says of its own algorithm chooses nothing.
/// </summary>
internal sealed class AccountTokenSigner : IDisposable
{
    private const int TokenCharactersMax = 16 * 1024;
    private const int ClaimsDepthMax = 8;

    /// <summary>Clocks of servers over one store differ.</summary>
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private readonly ECDsa key;
    private readonly TimeProvider clock;
    private readonly string header;

    public AccountTokenSigner(ECDsa key, TimeProvider clock)
    {
        this.key = key;
        this.clock = clock;
        var id = Base64Url.EncodeToString(SHA256.HashData(key.ExportSubjectPublicKeyInfo()));
        header = Base64Url.EncodeToString(Encoding.UTF8.GetBytes($$"""{"alg":"ES256","kid":"{{id}}"}"""));
    }

    public string Sign(AccountToken token)
    {
        var claims = new ArrayBufferWriter<byte>(512);
        Write(token, claims);
        var signed = $"{header}.{Base64Url.EncodeToString(claims.WrittenSpan)}";
        lock (gate)
        {
            return $"{signed}.{Base64Url.EncodeToString(key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation))}";
        }
    }

    /// <summary>What a token says that this key has signed and whose time is now; null for anything else.</summary>
    public AccountToken? Read(string text)
    {
        if (text.Length > TokenCharactersMax || text.Split('.') is not [var head, var body, var signature] || head != header)
        {
            return null;
        }

        try
        {
            var proof = Base64Url.DecodeFromChars(signature);
            lock (gate)
            {
                if (!key.VerifyData(Encoding.ASCII.GetBytes($"{head}.{body}"), proof, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation))
                {
                    return null;
                }
            }

            using var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(body), new JsonDocumentOptions { MaxDepth = ClaimsDepthMax });
            return ReadClaims(claims.RootElement);
        }
        catch (Exception error) when (error is FormatException or JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException or CryptographicException)
        {
            return null; // It is no token of ours, whatever it is.
        }
    }

    public void Dispose() => key.Dispose();

    private AccountToken? ReadClaims(JsonElement claims)
    {
        var (now, own) = (clock.GetUtcNow(), claims.GetProperty("kubernetes.io"));
        var token = new AccountToken
        {
            Namespace = own.GetProperty("namespace").GetString()!,
            Account = NamedOf(own, "serviceaccount")!.Value,
            Audiences = [.. claims.GetProperty("aud").EnumerateArray().Select(audience => audience.GetString()!)],
            IssuedAt = TimeOf(claims, "iat"),
            ExpiresAt = TimeOf(claims, "exp"),
            Id = claims.GetProperty("jti").GetString()!,
            Pod = NamedOf(own, "pod"),
            Secret = NamedOf(own, "secret"),
            Node = own.TryGetProperty("node", out var node) ? node.GetProperty("name").GetString() : null,
        };
        return claims.GetProperty("iss").GetString() == AccountToken.Issuer && now < token.ExpiresAt && TimeOf(claims, "nbf") <= now + ClockSkew ? token : null;
    }

    private static DateTimeOffset TimeOf(JsonElement claims, string name) => DateTimeOffset.FromUnixTimeSeconds(claims.GetProperty(name).GetInt64());

    private static NamedUid? NamedOf(JsonElement own, string name) => own.TryGetProperty(name, out var found)
        ? new NamedUid(found.GetProperty("name").GetString()!, found.GetProperty("uid").GetString()!)
        : null;

    private static void Write(AccountToken token, IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        json.WriteStartArray("aud"u8);
        foreach (var audience in token.Audiences)
        {
            json.WriteStringValue(audience);
        }

        json.WriteEndArray();
        json.WriteNumber("exp"u8, token.ExpiresAt.ToUnixTimeSeconds());
        json.WriteNumber("iat"u8, token.IssuedAt.ToUnixTimeSeconds());
        json.WriteString("iss"u8, AccountToken.Issuer);
        json.WriteString("jti"u8, token.Id);
        json.WriteStartObject("kubernetes.io"u8);
        json.WriteString("namespace"u8, token.Namespace);
        if (token.Node is not null)
        {
            json.WriteStartObject("node"u8);
            json.WriteString("name"u8, token.Node);
            json.WriteEndObject();
        }

        WriteNamed(json, "pod", token.Pod);
        WriteNamed(json, "secret", token.Secret);
        WriteNamed(json, "serviceaccount", token.Account);
        json.WriteEndObject();
        json.WriteNumber("nbf"u8, token.IssuedAt.ToUnixTimeSeconds());
        json.WriteString("sub"u8, User.AccountName(token.Namespace, token.Account.Name));
        json.WriteEndObject();
    }

    private static void WriteNamed(Utf8JsonWriter json, string name, NamedUid? named)
    {
        if (named is { } there)
        {
            json.WriteStartObject(name);
            json.WriteString("name"u8, there.Name);
            json.WriteString("uid"u8, there.Uid);
            json.WriteEndObject();
        }
    }
}
