using System.Net.Sockets;

namespace Godwit.DockerApi.Serving;

/// <summary>The path of a listening socket, which outlives whoever listened.</summary>
internal static class SocketPlace
{
    private const int PathBytesMax = 107;

    /// <summary>Makes the folder, and takes away the socket of an engine that is no more.</summary>
    /// <exception cref="IOException">Something answers there, or something else is there.</exception>
    public static void Clear(string path)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(path) > PathBytesMax)
        {
            throw new IOException($"The socket's path {path} is longer than {PathBytesMax} bytes, which the kernel does not take: choose another with --socket");
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        if (!File.Exists(path))
        {
            return;
        }

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException refusal) when (refusal.SocketErrorCode is SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return;
        }
        catch (SocketException reason)
        {
            throw new IOException($"{path} is in the way of the Docker API's socket: remove it, or choose another path with --socket", reason);
        }

        throw new IOException($"Another engine answers on {path}: stop it, or choose another path with --socket");
    }
}
