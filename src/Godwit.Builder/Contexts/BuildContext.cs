using System.Text;
using Godwit.Builder.Dockerfiles;
using Godwit.Images.Tar;
using Godwit.Linux.Files;

namespace Godwit.Builder.Contexts;

/// <summary>A build's context, received as a tar and unpacked into a folder of its own, which goes when this is disposed. Nothing of it gets out of its folder, and its devices are left out.</summary>
public sealed class BuildContext : IDisposable
{
    private readonly string place;

    private BuildContext(string place) => this.place = place;

    /// <summary>For <see cref="BuildRequest.ContextFolder"/>.</summary>
    public string Folder => place;

    /// <summary>Receives a context.</summary>
    /// <param name="tar">Plain, or compressed with gzip or zstd; asynchronous reads are enough.</param>
    /// <param name="workFolder">Where to make the folder; made if missing.</param>
    /// <exception cref="Images.ImageException">It is no tar, a hostile or a too large one, or the disk is full.</exception>
    public static async Task<BuildContext> ReceiveAsync(Stream tar, string workFolder, CancellationToken stopping)
    {
        var context = new BuildContext(Path.Combine(workFolder, $"context-{Guid.NewGuid():N}"));
        Directory.CreateDirectory(context.place, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            using var root = HeldFolder.Open(context.place);
            await TreeCopy.ReceiveAsync(tar, root, new UnpackOptions { Devices = DevicePolicy.None }, stopping);
            return context;
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }

    /// <summary>A Dockerfile in the context, by its path there; links are followed inside the context only.</summary>
    /// <exception cref="BuildException">There is none, or it is too long.</exception>
    public string ReadDockerfile(string path)
    {
        using var root = HeldFolder.Open(place);
        var clean = CopySources.Clean(path);
        var slash = clean.LastIndexOf('/');
        using var parent = root.OpenBeneath(Encoding.UTF8.GetBytes(slash < 0 ? "" : clean[..slash]));
        using var file = clean.Length == 0 ? null : parent?.OpenFile(Encoding.UTF8.GetBytes(clean[(slash + 1)..]));
        if (file is null)
        {
            throw new BuildException($"Cannot locate specified Dockerfile: {path}");
        }

        var length = RandomAccess.GetLength(file);
        if (length > DockerfileReader.LengthMax)
        {
            throw new BuildException($"The Dockerfile {path} has {length} bytes; at most {DockerfileReader.LengthMax} are read.");
        }

        using var stream = new FileStream(file, FileAccess.Read);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    public void Dispose()
    {
        if (Directory.Exists(place))
        {
            using var parent = HeldFolder.Open(Path.GetDirectoryName(place)!);
            parent.Remove(Encoding.UTF8.GetBytes(Path.GetFileName(place)));
        }
    }
}
