using System.Diagnostics;

namespace Godwit.Volumes.Tests;

[Trait("Needs", "qemu")]
public sealed class CloudInitSeedTests : IDisposable
{
    private static readonly CloudInitData Data = new("vm-1", "name \"quoted\"", "#cloud-config\npassword: secret\n", "version: 2\n");

    private readonly TemporaryFolder folder = new();

    public CloudInitSeedTests() => Assert.SkipUnless(File.Exists("/usr/bin/xorriso"), "xorriso is not installed (package xorriso)");

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Seed_carries_the_label_and_the_files_that_cloud_init_looks_for()
    {
        var seed = await new CloudInitSeed(TimeProvider.System).CreateAsync(Path.Combine(folder.Path, "seed.iso"), Data, Stopping);
        var bytes = await File.ReadAllBytesAsync(seed.Path, Stopping);
        Assert.Equal("CD001", System.Text.Encoding.ASCII.GetString(bytes, 0x8001, 5));
        Assert.Equal("cidata", System.Text.Encoding.ASCII.GetString(bytes, 0x8028, 32).TrimEnd());

        var extracted = Path.Combine(folder.Path, "out");
        using var extraction = Process.Start(new ProcessStartInfo("/usr/bin/xorriso", ["-osirrox", "on", "-indev", seed.Path, "-extract", "/", extracted]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        await extraction.StandardError.ReadToEndAsync(Stopping);
        await extraction.WaitForExitAsync(Stopping);
        Assert.Equal(Data.UserData, await File.ReadAllTextAsync(Path.Combine(extracted, "user-data"), Stopping));
        Assert.Equal(Data.NetworkData, await File.ReadAllTextAsync(Path.Combine(extracted, "network-config"), Stopping));
        Assert.Equal("instance-id: \"vm-1\"\nlocal-hostname: \"name \\\"quoted\\\"\"\n", await File.ReadAllTextAsync(Path.Combine(extracted, "meta-data"), Stopping));
    }

    [Fact]
    public async Task Same_data_give_the_same_bytes_and_only_the_owner_reads_them()
    {
        var maker = new CloudInitSeed(TimeProvider.System);
        var first = await maker.CreateAsync(Path.Combine(folder.Path, "a.iso"), Data, Stopping);
        await AnotherSecondAsync(); // Dates in an ISO are of whole seconds.
        var second = await maker.CreateAsync(Path.Combine(folder.Path, "b.iso"), Data, Stopping);
        Assert.Equal(await File.ReadAllBytesAsync(first.Path, Stopping), await File.ReadAllBytesAsync(second.Path, Stopping));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(first.Path));
        Assert.Equal(["a.iso", "b.iso"], Directory.EnumerateFileSystemEntries(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    private static async Task AnotherSecondAsync()
    {
        var second = TimeProvider.System.GetUtcNow().Second;
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (TimeProvider.System.GetUtcNow().Second == second)
        {
            await look.WaitForNextTickAsync(Stopping);
        }
    }

    [Fact]
    public async Task Data_without_end_are_refused() =>
        await Assert.ThrowsAsync<VolumeException>(() => new CloudInitSeed(TimeProvider.System).CreateAsync(
            Path.Combine(folder.Path, "seed.iso"), Data with { UserData = new string('x', CloudInitSeed.PartBytesMax + 1) }, Stopping));
}
