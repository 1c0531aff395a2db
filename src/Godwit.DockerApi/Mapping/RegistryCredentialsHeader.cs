using System.Buffers.Text;
using System.Text.Json;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Oci.Distribution;

namespace Godwit.DockerApi.Mapping;

/// <summary>What a client shows to a registry through us: <c>X-Registry-Auth</c>, JSON in base64url. Its content is never repeated in an error.</summary>
internal static class RegistryCredentialsHeader
{
    private const int LengthMax = 64 << 10;

    /// <exception cref="DockerException">It cannot be read.</exception>
    public static RegistryCredentials Read(string? header)
    {
        if (string.IsNullOrEmpty(header))
        {
            return new RegistryCredentials();
        }

        try
        {
            // Some clients write base64 in its first alphabet.
            var bytes = header.Length <= LengthMax ? Base64Url.DecodeFromChars(header.Replace('+', '-').Replace('/', '_').TrimEnd('=')) : throw new FormatException("it is too long");
            return Read(JsonSerializer.Deserialize(bytes, DockerJson.Default.AuthBody) ?? new AuthBody());
        }
        catch (Exception reason) when (reason is FormatException or JsonException)
        {
            throw DockerException.Invalid("invalid X-Registry-Auth header: it is no JSON in base64url");
        }
    }

    public static RegistryCredentials Read(AuthBody body) => new()
    {
        UserName = Text(body.UserName),
        Password = Text(body.Password),
        IdentityToken = Text(body.IdentityToken),
        RegistryToken = Text(body.RegistryToken),
    };

    /// <summary>Host and port of a server's address, which some clients write as a URL; null is the default registry.</summary>
    public static string? ServerName(string? address)
    {
        if (string.IsNullOrEmpty(address))
        {
            return null;
        }

        var scheme = address.IndexOf("://", StringComparison.Ordinal);
        var bare = scheme < 0 ? address : address[(scheme + 3)..];
        return bare.Split('/')[0];
    }

    private static string? Text(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
