using System.Buffers.Text;
using System.Text.Json;
using Godwit.Builder;
using Godwit.DockerApi.Endpoints;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Images;
using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.DockerApi.Mapping;

/// <summary>What the parameters and headers of a build say; the context and the Dockerfile are not among them.</summary>
internal static class BuildReader
{
    private const string CredentialsHeader = "X-Registry-Config";
    private const int CredentialsLengthMax = 256 << 10;

    /// <summary>Of ours: the classic protocol has no place for secrets. A JSON object, each name with its value in base64, all of it in base64url; in a header, so that it is in no address and no log.</summary>
    private const string SecretsHeader = "X-Godwit-Build-Secrets";

    /// <summary>Parameters that would change the image, or what its steps may do, unseen.</summary>
    private static readonly (string Name, string What)[] Unsupported =
    [
        ("remote", "a remote context: fetch it and send it, a build from which"), ("squash", "squashing: copy from a last stage instead, which"), ("outputs", "an output other than an image"),
        ("extrahosts", "further hosts in a build"), ("cgroupparent", "a cgroup parent for a build"), ("ulimits", "ulimits for a build"),
    ];

    /// <exception cref="DockerException">Something cannot be read, or is not supported.</exception>
    public static BuildRequest Read(Exchange exchange, ImageStore images)
    {
        if (exchange.Query("version") is "2")
        {
            throw DockerException.NotSupported("BuildKit: set DOCKER_BUILDKIT=0, then its kind of build");
        }

        foreach (var (name, what) in Unsupported)
        {
            if (exchange.Query(name) is { Length: > 0 } value and not ("0" or "false" or "null" or "[]"))
            {
                throw DockerException.NotSupported(what);
            }
        }

        var credentials = ReadCredentials(exchange.Http.Request.Headers[CredentialsHeader], images);
        return new BuildRequest
        {
            ContextFolder = "",
            Dockerfile = "",
            Names = [.. exchange.QueryList("t").Select(name => ImageEndpoints.ReadName(images, name, null)!)],
            Target = exchange.Query("target") is { Length: > 0 } target ? target : null,
            Arguments = ReadMap(exchange, "buildargs"),
            Labels = ReadMap(exchange, "labels").ToDictionary(label => label.Key, label => label.Value ?? "", StringComparer.Ordinal),
            NoCache = exchange.QueryFlag("nocache"),
            AlwaysPull = exchange.QueryFlag("pull"),
            Network = exchange.Query("networkmode") is { Length: > 0 } network ? network : "default",
            Platform = ReadPlatform(exchange.Query("platform")),
            Secrets = ReadSecrets(exchange.Http.Request.Headers[SecretsHeader]),
            Credentials = registry => credentials.GetValueOrDefault(registry ?? "") ?? new RegistryCredentials(),
        };
    }

    private static Dictionary<string, string?> ReadMap(Exchange exchange, string name)
    {
        try
        {
            return exchange.Query(name) is { Length: > 0 } text ? JsonSerializer.Deserialize(text, DockerJson.Default.DictionaryStringString) ?? [] : [];
        }
        catch (JsonException reason)
        {
            throw DockerException.Invalid($"{name} takes a JSON object of strings", reason);
        }
    }

    private static Dictionary<string, RegistryCredentials> ReadCredentials(string? header, ImageStore images)
    {
        var found = new Dictionary<string, RegistryCredentials>(StringComparer.Ordinal);
        if (string.IsNullOrEmpty(header))
        {
            return found;
        }

        try
        {
            var bytes = header.Length <= CredentialsLengthMax ? Base64Url.DecodeFromChars(header.Replace('+', '-').Replace('/', '_').TrimEnd('=')) : throw new FormatException("it is too long");
            foreach (var (server, body) in JsonSerializer.Deserialize(bytes, DockerJson.Default.DictionaryStringAuthBody) ?? [])
            {
                found[images.RegistryOf(RegistryCredentialsHeader.ServerName(server)) ?? ""] = RegistryCredentialsHeader.Read(body);
            }

            return found;
        }
        catch (Exception reason) when (reason is FormatException or JsonException)
        {
            throw DockerException.Invalid($"invalid {CredentialsHeader} header: it is no JSON in base64url");
        }
    }

    private static Dictionary<string, byte[]> ReadSecrets(string? header)
    {
        try
        {
            var secrets = string.IsNullOrEmpty(header) ? null : JsonSerializer.Deserialize(Base64Url.DecodeFromChars(header), DockerJson.Default.DictionaryStringString);
            return (secrets ?? []).ToDictionary(secret => secret.Key, secret => Convert.FromBase64String(secret.Value ?? ""), StringComparer.Ordinal);
        }
        catch (Exception reason) when (reason is FormatException or JsonException)
        {
            throw DockerException.Invalid($"invalid {SecretsHeader} header: it is no JSON object of base64 in base64url");
        }
    }

    private static Platform? ReadPlatform(string? text)
    {
        try
        {
            return string.IsNullOrEmpty(text) ? null : Platform.Parse(text);
        }
        catch (FormatException reason)
        {
            throw DockerException.Invalid(reason.Message, reason);
        }
    }
}
