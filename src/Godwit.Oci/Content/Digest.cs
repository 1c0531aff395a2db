using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Godwit.Oci;

/// <summary>
/// The name of bytes: algorithm and hash, as <c>sha256:</c> and 64 lower-case hexadecimal digits (or <c>sha512:</c> and 128).
/// Source: OCI image specification, descriptor, "Digests". The default value is no digest and equals only itself.
/// </summary>
[JsonConverter(typeof(DigestJsonConverter))]
public readonly record struct Digest
{
    private const string Sha256 = "sha256";
    private const string Sha512 = "sha512";
    private const int ShortLength = 12;
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    private readonly string? text;

    private Digest(string text) => this.text = text;

    /// <summary><c>sha256</c> or <c>sha512</c>.</summary>
    public string Algorithm => Text[..Text.IndexOf(':', StringComparison.Ordinal)];

    /// <summary>The hash alone, in hexadecimal digits.</summary>
    public string Hex => Text[(Text.IndexOf(':', StringComparison.Ordinal) + 1)..];

    /// <summary>The first twelve digits of the hash, as people are shown it.</summary>
    public string Short => Hex[..ShortLength];

    private string Text => text ?? throw new InvalidOperationException("This digest was never given a value.");

    /// <exception cref="FormatException">The text is no digest of an algorithm that is known here.</exception>
    public static Digest Parse(string value) =>
        TryParse(value, out var digest) ? digest : throw new FormatException($"\"{Shorten(value)}\" is no digest: expected sha256: and 64 hexadecimal digits, or sha512: and 128.");

    public static bool TryParse(ReadOnlySpan<char> value, out Digest digest)
    {
        var colon = value.IndexOf(':');
        var hexLength = colon < 0 ? -1 : value[..colon] switch { Sha256 => 64, Sha512 => 128, _ => -1 };
        var valid = hexLength > 0 && value.Length == colon + 1 + hexLength && !value[(colon + 1)..].ContainsAnyExcept(HexDigits);
        digest = valid ? new Digest(value.ToString()) : default;
        return valid;
    }

    /// <summary>The SHA-256 digest of these bytes.</summary>
    public static Digest Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return FromHash(hash);
    }

    /// <summary>A digest from a hash of 32 bytes (SHA-256) or 64 bytes (SHA-512).</summary>
    public static Digest FromHash(ReadOnlySpan<byte> hash) => hash.Length switch
    {
        SHA256.HashSizeInBytes => new Digest($"{Sha256}:{Convert.ToHexStringLower(hash)}"),
        SHA512.HashSizeInBytes => new Digest($"{Sha512}:{Convert.ToHexStringLower(hash)}"),
        _ => throw new ArgumentException($"A hash has 32 or 64 bytes, not {hash.Length}.", nameof(hash)),
    };

    /// <summary>A fresh hash of this digest's algorithm, to compare streamed bytes with it.</summary>
    public IncrementalHash CreateHash() => IncrementalHash.CreateHash(Algorithm == Sha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256);

    /// <summary>Whether these bytes are the ones that this digest names.</summary>
    public bool Matches(ReadOnlySpan<byte> bytes)
    {
        using var hash = CreateHash();
        hash.AppendData(bytes);
        return this == FromHash(hash.GetHashAndReset());
    }

    public override string ToString() => text ?? "";

    private static string Shorten(string value) => value.Length <= 80 ? value : value[..80] + "…";
}

/// <summary>A digest in JSON: its text, as a value or as a property's name.</summary>
public sealed class DigestJsonConverter : JsonConverter<Digest>
{
    public override Digest Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && Digest.TryParse(reader.GetString(), out var digest) ? digest : throw new JsonException("Expected a digest: sha256: and 64 hexadecimal digits.");

    public override void Write(Utf8JsonWriter writer, Digest value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());

    public override Digest ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Digest.TryParse(reader.GetString(), out var digest) ? digest : throw new JsonException("Expected a digest as the property's name.");

    public override void WriteAsPropertyName(Utf8JsonWriter writer, Digest value, JsonSerializerOptions options) => writer.WritePropertyName(value.ToString());
}
