using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Godwit.Images.Tar;
using Godwit.Linux.Files;
using Godwit.Oci.Distribution;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Images.Tests;

/// <summary>A folder of one test, gone with it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory($"godwit-images-{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}-").FullName;

    public string Sub(string name) => Directory.CreateDirectory(System.IO.Path.Combine(Path, name)).FullName;

    public void Dispose()
    {
        foreach (var mount in Mounts.List().Where(mount => mount.Path.StartsWith(Path, StringComparison.Ordinal)).Reverse())
        {
            Mounts.Unmount(mount.Path);
        }

        using var parent = HeldFolder.Open(System.IO.Path.GetDirectoryName(Path)!);
        parent.Remove(Encoding.UTF8.GetBytes(System.IO.Path.GetFileName(Path)));
    }
}

/// <summary>What a test needs of its host; without it the test is skipped and says so.</summary>
internal static class Needs
{
    public static void Root() => Assert.SkipUnless(Environment.UserName == "root", "This test owns files, makes devices and mounts: run it as root.");

    public static string Program(string name)
    {
        var found = new[] { "/usr/bin", "/usr/sbin", "/bin", "/sbin" }.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        Assert.SkipWhen(found is null, $"This test needs '{name}': run eng/setup.sh test.");
        return found!;
    }
}

/// <summary>In which the waits before an attempt, of ten seconds at most, are over at once.</summary>
internal sealed class HastyTime : TimeProvider
{
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(10);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        base.CreateTimer(callback, state, dueTime > TimeSpan.Zero && dueTime <= WaitMax ? TimeSpan.FromMilliseconds(1) : dueTime, period);
}

/// <summary>A disk as small as a test wants it.</summary>
internal static class Disk
{
    /// <summary>Mounts one; it goes with the <see cref="TemporaryFolder"/> above it.</summary>
    public static async Task MountAsync(string path, long bytes)
    {
        using var mount = Process.Start("mount", ["-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={bytes}"), "tmpfs", path]);
        await mount.WaitForExitAsync(Sample.Stopping);
        Assert.Equal(0, mount.ExitCode);
    }
}

/// <summary>Remembers everything that it was told.</summary>
internal sealed class Heard : IProgress<TransferProgress>
{
    private readonly ConcurrentQueue<TransferProgress> all = new();

    public IEnumerable<TransferProgress> All => all;

    /// <summary>Called with each report, as it comes.</summary>
    public Action<TransferProgress> Also { get; init; } = _ => { };

    public void Report(TransferProgress value)
    {
        all.Enqueue(value);
        Also(value);
    }

    public int Count(TransferStage stage) => all.Count(each => each.Stage == stage);
}

internal static class Sample
{
    public static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public static ImageStore OpenStore(string folder, RegistryOptions? registries = null, TimeProvider? time = null) =>
        ImageStore.Open(new ImageStoreOptions { Folder = folder, Registries = registries ?? new RegistryOptions() }, time ?? TimeProvider.System, NullLogger<ImageStore>.Instance);

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public static TarEntry File(string name, uint mode = 0x1a4) => new() { Name = Bytes(name), Kind = TarKind.File, Mode = mode, Modified = new FileTime(1_700_000_000, 0) };

    public static TarEntry Folder(string name, uint mode = 0x1ed) => new() { Name = Bytes(name), Kind = TarKind.Folder, Mode = mode, Modified = new FileTime(1_700_000_000, 0) };

    public static TarEntry Link(string name, string target) => new() { Name = Bytes(name), Kind = TarKind.SymbolicLink, Mode = 0x1ff, LinkTarget = Bytes(target) };

    public static TarEntry HardLink(string name, string target) => new() { Name = Bytes(name), Kind = TarKind.HardLink, Mode = 0x1a4, LinkTarget = Bytes(target) };

    public static byte[] Tar(TarEntry entry, byte[] contents)
    {
        using var bytes = new MemoryStream();
        var tar = new TarWriter(bytes);
        tar.Add(entry, contents);
        tar.End();
        return bytes.ToArray();
    }

    public static byte[] Tar(params (TarEntry Entry, string Contents)[] members)
    {
        using var bytes = new MemoryStream();
        var tar = new TarWriter(bytes);
        foreach (var (entry, contents) in members)
        {
            tar.Add(entry, Bytes(contents));
        }

        tar.End();
        return bytes.ToArray();
    }

    public static ImageStep Step(string name, Godwit.Oci.ReferenceRules? rules = null) => new()
    {
        Config = new Oci.ImageDefaults { Cmd = ["/bin/true"], Env = ["PATH=/bin"] },
        History = new Oci.HistoryEntry { CreatedBy = "test" },
        Name = (rules ?? new Oci.ReferenceRules()).Parse(name).WithDefaultTag(),
    };
}
