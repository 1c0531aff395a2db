using System.Globalization;
using System.Runtime.InteropServices;
using Godwit.Machines;
using Godwit.Real.Tests.Labs;
using Godwit.Real.Tests.Machines;

namespace Godwit.Real.Tests.Containers;

/// <summary>
/// Hosts whose cgroups are of one version or the other, whatever this one has, with swap and a scheduler of disks that knows weights: a guest with Debian's kernel,
/// this host's crun and conmon, and this very test program on a second disk (guests/unified).
/// </summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
public sealed class UnifiedHostTests(UnifiedHostTests.Disk disk) : IClassFixture<UnifiedHostTests.Disk>
{
    private const string Qemu = "/usr/bin/qemu-system-x86_64";

    /// <summary>A disk that is always ready leaves nothing to be shared out: this one is slower than whoever reads from it with nothing else to do, emulated processors or not.</summary>
    private const int DiskBytesPerSecond = 64 << 20;

    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(15);

    [Fact]
    public Task Every_bound_on_a_container_holds_on_version_1_of_cgroups_too() => RunAsync(version: 1);

    [Fact]
    public Task Every_bound_on_a_container_holds_on_version_2_of_cgroups_too() => RunAsync(version: 2);

    private async Task RunAsync(int version)
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root: the guest's disk is made of programs that root owns");
        Assert.SkipUnless(File.Exists(Qemu) && RuntimeInformation.ProcessArchitecture is Architecture.X64, "needs QEMU for x86-64: install the package qemu-system-x86");
        var image = Path.Combine(GodwitLab.ImagesFolder, "unified");
        Assert.SkipUnless(File.Exists(Path.Combine(image, "image.json")), $"needs the guest in {image}: run guests/build.sh unified");
        var output = (await Command.RunAsync(
            Qemu,
            [
                "-nodefaults", "-no-reboot", "-display", "none", "-machine", "q35", "-accel", await AcceleratorAsync(), "-cpu", "max", "-smp", "2", "-m", "1536",
                "-kernel", Path.Combine(image, "vmlinuz"), "-initrd", Path.Combine(image, "initrd"),
                "-append", string.Create(CultureInfo.InvariantCulture, $"console=ttyS0 quiet panic=-1 unified.version={version} unified.arguments=--progress,off,--no-ansi,--output,Detailed,--filter-class,*.ContainerLimitTests"),
                "-drive", string.Create(CultureInfo.InvariantCulture, $"file={Path.Combine(image, "root")},format=raw,if=virtio,snapshot=on,throttling.bps-total={DiskBytesPerSecond}"),
                "-drive", $"file={await disk.MakeAsync()},format=raw,if=virtio,snapshot=on",
                "-serial", "stdio", "-monitor", "none",
            ],
            Bound)).Output.Replace("\r", "", StringComparison.Ordinal);
        var words = string.Create(CultureInfo.InvariantCulture, $"unified: cgroups of version {version}\n");
        Assert.True(output.Contains(words, StringComparison.Ordinal) && output.Contains("unified: ended with 0\n", StringComparison.Ordinal), output);
        // Nothing was passed over: that guest has all that the bounds need, swap and two CPUs and a disk among it.
        Assert.True(output.Contains("  failed: 0\n", StringComparison.Ordinal) && output.Contains("  skipped: 0\n", StringComparison.Ordinal), output);
    }

    /// <summary>What a guest has run with on this host: a KVM that opens may still end QEMU at once.</summary>
    private static async Task<string> AcceleratorAsync()
    {
        await using var lab = await MachineLab.CreateAsync(options => options with { Accelerator = null });
        return (await lab.Host.GetFactsAsync(TestContext.Current.CancellationToken)).Accelerator is Accelerator.Kvm ? "kvm" : "tcg";
    }

    /// <summary>This program, and the .NET that it runs on, as a file system: one for all guests, which write to none of it.</summary>
    public sealed class Disk : IDisposable
    {
        private readonly string folder = string.Create(CultureInfo.InvariantCulture, $"/var/tmp/gwu-{Environment.ProcessId}");
        private Task<string>? made;

        public void Dispose()
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        /// <summary>The tests of a class come one after the other.</summary>
        internal Task<string> MakeAsync() => made ??= MakeOnceAsync();

        private async Task<string> MakeOnceAsync()
        {
            var tree = Directory.CreateDirectory(Path.Combine(folder, "tree")).FullName;
            var shared = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../.."));
            var (version, sharedTarget) = (Environment.Version.ToString(), Path.Combine(tree, "dotnet/shared"));
            await CopyAsync(AppContext.BaseDirectory, Path.Combine(tree, "program"));
            await CopyAsync(Path.Combine(shared, "../host/fxr"), Path.Combine(tree, "dotnet/host/fxr"));
            foreach (var framework in new[] { "Microsoft.NETCore.App", "Microsoft.AspNetCore.App" })
            {
                await CopyAsync(Path.Combine(shared, framework, version), Path.Combine(sharedTarget, framework, version));
            }

            var disk = Path.Combine(folder, "disk");
            (await Command.RunAsync("mke2fs", ["-q", "-t", "ext4", "-m", "0", "-d", tree, disk, "512M"], Bound)).MustSucceed();
            Directory.Delete(tree, recursive: true);
            return disk;
        }

        private static async Task CopyAsync(string source, string target)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            (await Command.RunAsync("cp", ["-a", "--no-target-directory", source, target], Bound)).MustSucceed();
        }
    }
}
