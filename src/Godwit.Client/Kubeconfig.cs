using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Godwit.Client;

/// <summary>
/// Reads the part of a kubeconfig that Godwit understands: clusters with a CA, users with a client certificate or a
/// token, contexts. What it does not understand (exec plugins, auth providers, skipped verification) it refuses by
/// name rather than connect in another way than the file says.
/// </summary>
public static class Kubeconfig
{
    /// <summary>A larger file is refused unread.</summary>
    public const int FileBytesMax = 1 << 20;

    /// <summary>Loads one context of a file. Relative paths inside are relative to the file's folder.</summary>
    /// <param name="path">The file.</param>
    /// <param name="context">The context's name; null means the file's <c>current-context</c>.</param>
    /// <exception cref="KubeconfigException">The file cannot be read, or does not say how to connect.</exception>
    public static ClusterConnection Load(string path, string? context = null)
    {
        string text;
        try
        {
            if (new FileInfo(path).Length > FileBytesMax)
            {
                throw new KubeconfigException($"Kubeconfig {path} is larger than {FileBytesMax} bytes: that is no kubeconfig.");
            }

            text = File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new KubeconfigException($"Kubeconfig {path} cannot be read. Name another with --kubeconfig or the variable KUBECONFIG", error);
        }

        return Parse(text, Path.GetDirectoryName(Path.GetFullPath(path))!, path, context);
    }

    /// <summary>The same for text; <paramref name="folder"/> is where relative paths start, <paramref name="origin"/> names it in errors.</summary>
    /// <exception cref="KubeconfigException">The text does not say how to connect.</exception>
    public static ClusterConnection Parse(string text, string folder, string origin, string? context = null)
    {
        var file = new Document(ReadRoot(text, origin), folder, origin);
        var contextName = context ?? file.Text(file.Root, "current-context") ?? "";
        if (contextName.Length == 0)
        {
            throw new KubeconfigException($"{origin} has no current-context: name one with --context.");
        }

        var chosen = file.Named("contexts", "context", contextName);
        var clusterName = file.Text(chosen, "cluster") ?? throw new KubeconfigException($"{origin}: context {contextName} names no cluster.");
        var cluster = file.Named("clusters", "cluster", clusterName);
        var user = file.Text(chosen, "user") is { } userName ? file.Named("users", "user", userName) : new YamlMappingNode();
        Refuse(file, cluster, "insecure-skip-tls-verify", "give the cluster's CA as certificate-authority-data");
        Refuse(file, user, "exec", "use a client certificate or a token");
        Refuse(file, user, "auth-provider", "use a client certificate or a token");
        Refuse(file, user, "username", "use a client certificate or a token");

        var certificate = ReadClientCertificate(file, user);
        return new ClusterConnection
        {
            Servers = [ReadServer(file, cluster, clusterName)],
            Authorities = ReadAuthorities(file, cluster),
            TlsServerName = file.Text(cluster, "tls-server-name"),
            ClientCertificate = certificate is null ? null : () => certificate,
            BearerToken = ReadToken(file, user),
            Namespace = file.Text(chosen, "namespace") is { Length: > 0 } @namespace ? @namespace : "default",
        };
    }

    private static YamlMappingNode ReadRoot(string text, string origin)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            return stream.Documents is [{ RootNode: YamlMappingNode root }]
                ? root
                : throw new KubeconfigException($"{origin} is not a kubeconfig: one YAML mapping is expected.");
        }
        catch (YamlException error)
        {
            throw new KubeconfigException($"{origin} is not valid YAML", error);
        }
    }

    private static void Refuse(Document file, YamlMappingNode node, string key, string instead)
    {
        if (node.Children.TryGetValue(key, out var value) && value is not YamlScalarNode { Value: null or "" or "false" })
        {
            throw new KubeconfigException($"{file.Origin}: {key} is not supported by Godwit; {instead}.");
        }
    }

    private static Uri ReadServer(Document file, YamlMappingNode cluster, string clusterName)
    {
        var server = file.Text(cluster, "server") ?? "";
        return Uri.TryCreate(server, UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http"
            ? uri
            : throw new KubeconfigException($"{file.Origin}: cluster {clusterName} has the server '{server}', which is not an http or https address.");
    }

    private static X509Certificate2Collection? ReadAuthorities(Document file, YamlMappingNode cluster)
    {
        if (file.Bytes(cluster, "certificate-authority") is not { } pem)
        {
            return null;
        }

        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPem(Encoding.UTF8.GetString(pem));
        }
        catch (CryptographicException error)
        {
            throw new KubeconfigException($"{file.Origin}: the certificate authority is not PEM", error);
        }

        return authorities.Count > 0
            ? authorities
            : throw new KubeconfigException($"{file.Origin}: the certificate authority holds no certificate.");
    }

    private static X509Certificate2? ReadClientCertificate(Document file, YamlMappingNode user)
    {
        var certificate = file.Bytes(user, "client-certificate");
        var key = file.Bytes(user, "client-key");
        if (certificate is null && key is null)
        {
            return null;
        }

        if (certificate is null || key is null)
        {
            throw new KubeconfigException($"{file.Origin}: a client certificate needs both client-certificate and client-key.");
        }

        try
        {
            return X509Certificate2.CreateFromPem(Encoding.UTF8.GetString(certificate), Encoding.UTF8.GetString(key));
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw new KubeconfigException($"{file.Origin}: the client certificate and its key do not fit together, or are not PEM", error);
        }
    }

    private static Func<string?>? ReadToken(Document file, YamlMappingNode user)
    {
        if (file.Text(user, "token") is { Length: > 0 } token)
        {
            return () => token;
        }

        // A token file is read at each request: whoever wrote it may rotate it.
        return file.Text(user, "tokenFile") is { Length: > 0 } path
            ? () => File.ReadAllText(Path.Combine(file.Folder, path)).Trim()
            : null;
    }

    /// <summary>Access to the parsed file, with its place in every error.</summary>
    private sealed record Document(YamlMappingNode Root, string Folder, string Origin)
    {
        public string? Text(YamlMappingNode node, string key) =>
            node.Children.TryGetValue(key, out var value)
                ? value is YamlScalarNode scalar ? scalar.Value : throw new KubeconfigException($"{Origin}: {key} is not text.")
                : null;

        public YamlMappingNode Named(string list, string member, string name)
        {
            if (Root.Children.TryGetValue(list, out var value) && value is YamlSequenceNode entries)
            {
                foreach (var entry in entries.Children.OfType<YamlMappingNode>())
                {
                    if (Text(entry, "name") == name && entry.Children.TryGetValue(member, out var found) && found is YamlMappingNode mapping)
                    {
                        return mapping;
                    }
                }
            }

            throw new KubeconfigException($"{Origin} has no {member} named '{name}'.");
        }

        /// <summary>The content under <c>KEY-data</c> (base64), or of the file named by <c>KEY</c>.</summary>
        public byte[]? Bytes(YamlMappingNode node, string key)
        {
            try
            {
                if (Text(node, key + "-data") is { Length: > 0 } inline)
                {
                    return Convert.FromBase64String(inline);
                }

                return Text(node, key) is { Length: > 0 } path ? File.ReadAllBytes(Path.Combine(Folder, path)) : null;
            }
            catch (Exception error) when (error is FormatException or IOException or UnauthorizedAccessException)
            {
                throw new KubeconfigException($"{Origin}: {key} cannot be read", error);
            }
        }
    }
}

/// <summary>A kubeconfig that does not say how to connect; the message names the file and the field.</summary>
public sealed class KubeconfigException(string message, Exception? cause = null) : Exception(message, cause);
