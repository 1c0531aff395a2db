using Godwit.Containers;
using Godwit.Images.Layers;
using Godwit.Linux.Commands;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.Real.Tests.Containers;

/// <summary>Root file systems over one folder with a static busybox: what an image store is to the engine, without images.</summary>
internal sealed class BusyboxRoots : IRootFileSystems
{
    private const string Busybox = "/bin/busybox";

    private readonly string folder;
    private readonly string lower;

    internal BusyboxRoots(string folder)
    {
        this.folder = folder;
        lower = Path.Combine(folder, "lower");
        if (Directory.Exists(lower))
        {
            return;
        }

        Assert.SkipUnless(File.Exists(Busybox), "busybox is not installed (package busybox-static)");
        foreach (var name in new[] { "bin", "etc", "proc", "sys", "dev", "tmp", "root", "home", "data" })
        {
            Directory.CreateDirectory(Path.Combine(lower, name));
        }

        File.Copy(Busybox, Path.Combine(lower, "bin/busybox"));
        File.WriteAllText(Path.Combine(lower, "data/seed"), "from the image\n");
        File.WriteAllText(Path.Combine(lower, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000:worker:/home:/bin/sh\n");
        File.WriteAllText(Path.Combine(lower, "etc/group"), "root:x:0:\nworker:x:1000:\nextra:x:2000:worker\n");
        using var list = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(Busybox, "--list") { RedirectStandardOutput = true })!;
        foreach (var applet in list.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(name => name != "busybox"))
        {
            File.CreateSymbolicLink(Path.Combine(lower, "bin", applet), "busybox");
        }
    }

    public string Folder => folder;

    public Task CreateAsync(ContainerId id, string imageId, long? sizeBytesMax, CancellationToken stopping)
    {
        foreach (var name in new[] { "upper", "work", "root" })
        {
            Directory.CreateDirectory(Place(id, name));
        }

        return Task.CompletedTask;
    }

    public async Task<string> MountAsync(ContainerId id, UserNamespace? seenBy, CancellationToken stopping)
    {
        Assert.Null(seenBy); // Ids are the image store's to show.
        var root = Place(id, "root");
        if (!Mounts.List().Any(mount => mount.Path == root))
        {
            await new Command("mount", "-t", "overlay", "overlay", "-o", $"lowerdir={lower},upperdir={Place(id, "upper")},workdir={Place(id, "work")}", root).RunAsync(TimeProvider.System, stopping);
        }

        return root;
    }

    public Task UnmountAsync(ContainerId id, CancellationToken stopping)
    {
        if (Directory.Exists(Place(id, "root")))
        {
            Mounts.Unmount(Place(id, "root"));
        }

        return Task.CompletedTask;
    }

    public Task RemoveAsync(ContainerId id, CancellationToken stopping)
    {
        _ = UnmountAsync(id, stopping);
        if (Directory.Exists(Path.Combine(folder, id.Value)))
        {
            Directory.Delete(Path.Combine(folder, id.Value), recursive: true);
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<FileChange>> ListChangesAsync(ContainerId id, CancellationToken stopping) => Task.FromResult<IReadOnlyList<FileChange>>([]);

    public Task<long> MeasureAsync(ContainerId id, CancellationToken stopping) => Task.FromResult(0L);

    public Task<string> CommitAsync(ContainerSnapshot container, CommitRequest request, CancellationToken stopping) => throw new NotSupportedException("plain folders make no images");

    private string Place(ContainerId id, string name) => Path.Combine(folder, id.Value, name);
}
