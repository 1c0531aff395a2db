using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Godwit.Oci.Distribution;

/// <summary>
/// What is sent along with requests to a registry: found out by its first refusal, fetched from its token server, and kept
/// per registry, scope and user until it runs out. Source: the distribution project's token authentication specification.
/// </summary>
internal sealed class RegistryTokens(TimeProvider time)
{
    private const int AnswerBytesMax = 1 << 20;
    private const int KeptMax = 4096;
    private static readonly TimeSpan LifetimeUnlessTold = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, Kept> kept = new(StringComparer.Ordinal);

    /// <summary>What is known to be wanted; null when nothing was asked for yet, or it ran out.</summary>
    public AuthenticationHeaderValue? Find(RegistryEndpoint endpoint, string scope, RegistryCredentials credentials) =>
        credentials.RegistryToken is { } own ? new AuthenticationHeaderValue("Bearer", own)
        : kept.TryGetValue(Key(endpoint, scope, credentials), out var found) && found.Until > time.GetUtcNow() ? found.Header
        : null;

    /// <summary>Meets a challenge. Null when it cannot be met with these credentials.</summary>
    /// <exception cref="RegistryException">The token server refused or failed.</exception>
    public async Task<AuthenticationHeaderValue?> MeetAsync(HttpClient client, RegistryEndpoint endpoint, Challenge challenge, string scope, RegistryCredentials credentials, CancellationToken stopping)
    {
        Kept answer;
        switch (challenge)
        {
            case Challenge.Basic when credentials.UserName is not null:
                answer = new Kept(BasicHeader(credentials), DateTimeOffset.MaxValue);
                break;
            case Challenge.Bearer bearer:
                RefuseWeaker(endpoint, bearer.Realm);
                answer = await FetchAsync(client, bearer with { Scope = scope.Length > 0 ? scope : bearer.Scope }, credentials, stopping);
                break;
            default:
                return null;
        }

        if (kept.Count >= KeptMax)
        {
            kept.Clear();
        }

        kept[Key(endpoint, scope, credentials)] = answer;
        return answer.Header;
    }

    /// <summary>A token that was refused is no use any more.</summary>
    public void Forget(RegistryEndpoint endpoint, string scope, RegistryCredentials credentials) => kept.TryRemove(Key(endpoint, scope, credentials), out _);

    private static AuthenticationHeaderValue BasicHeader(RegistryCredentials credentials) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credentials.UserName}:{credentials.Password}")));

    /// <summary>Credentials that would go to the registry over TLS do not go to a token server without it.</summary>
    private static void RefuseWeaker(RegistryEndpoint endpoint, Uri realm)
    {
        if (realm.Scheme == Uri.UriSchemeHttp && !endpoint.MayBePlain)
        {
            throw new RegistryException(RegistryFailure.Malformed, $"The registry {endpoint.Base.Authority} sends its users to a token server without TLS ({realm.Authority}): configure the registry as insecure if that is meant.");
        }
    }

    private static string Key(RegistryEndpoint endpoint, string scope, RegistryCredentials credentials)
    {
        // Hashed, so that no secret lies about as the key of a table.
        var user = SHA256.HashData(Encoding.UTF8.GetBytes($"{credentials.UserName}\0{credentials.Password}\0{credentials.IdentityToken}"));
        return $"{endpoint.Base.Authority} {scope} {Convert.ToHexStringLower(user)}";
    }

    private async Task<Kept> FetchAsync(HttpClient client, Challenge.Bearer challenge, RegistryCredentials credentials, CancellationToken stopping)
    {
        using var request = credentials.IdentityToken is { } identity ? Exchange(challenge, identity) : Ask(challenge, credentials);
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stopping);
        if (!response.IsSuccessStatusCode)
        {
            var failure = (int)response.StatusCode is 401 or 403 ? RegistryFailure.Unauthorized : (int)response.StatusCode >= 500 || (int)response.StatusCode == 429 ? RegistryFailure.Unavailable : RegistryFailure.Refused;
            throw new RegistryException(failure, $"The token server {challenge.Realm.Authority} answered {(int)response.StatusCode} {response.ReasonPhrase}.") { Status = response.StatusCode };
        }

        var json = await BoundedBody.ReadAsync(response, AnswerBytesMax, stopping);
        try
        {
            var answer = JsonSerializer.Deserialize(json, TokenJson.Default.TokenAnswer);
            var token = answer?.Token ?? answer?.AccessToken ?? throw new JsonException("there is no token in it");
            var lifetime = answer.ExpiresInSeconds is > 0 and < 1_000_000 and var seconds ? TimeSpan.FromSeconds(seconds) : LifetimeUnlessTold;
            return new Kept(new AuthenticationHeaderValue("Bearer", token), time.GetUtcNow() + lifetime - Margin);
        }
        catch (Exception reason) when (reason is JsonException or FormatException)
        {
            throw new RegistryException(RegistryFailure.Malformed, $"The token server {challenge.Realm.Authority} gave an answer without a token.", reason);
        }
    }

    private static HttpRequestMessage Ask(Challenge.Bearer challenge, RegistryCredentials credentials)
    {
        var query = new StringBuilder(challenge.Realm.Query);
        void Add(string name, string? value) => _ = value is null ? query : query.Append(query.Length == 0 ? '?' : '&').Append(name).Append('=').Append(Uri.EscapeDataString(value));
        Add("service", challenge.Service);
        foreach (var scope in (challenge.Scope ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            Add("scope", scope);
        }

        Add("account", credentials.UserName);
        var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(challenge.Realm) { Query = query.ToString() }.Uri);
        request.Headers.Authorization = credentials.UserName is null ? null : BasicHeader(credentials);
        return request;
    }

    private static HttpRequestMessage Exchange(Challenge.Bearer challenge, string identityToken) => new(HttpMethod.Post, challenge.Realm)
    {
        Content = new FormUrlEncodedContent(new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["grant_type"] = "refresh_token",
            ["refresh_token"] = identityToken,
            ["service"] = challenge.Service ?? "",
            ["scope"] = challenge.Scope ?? "",
            ["client_id"] = "godwit",
        }),
    };

    private sealed record Kept(AuthenticationHeaderValue Header, DateTimeOffset Until);
}

internal sealed record TokenAnswer
{
    [JsonPropertyName("token")]
    public string? Token { get; init; }

    [JsonPropertyName("access_token")]
    public string? AccessToken { get; init; }

    [JsonPropertyName("expires_in")]
    public double? ExpiresInSeconds { get; init; }
}

[JsonSourceGenerationOptions(MaxDepth = 8)]
[JsonSerializable(typeof(TokenAnswer))]
internal sealed partial class TokenJson : JsonSerializerContext;
