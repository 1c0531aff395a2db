using System.Diagnostics;
using Godwit.Volumes;

namespace Godwit.Real.Tests.Machines;

/// <summary>The ready-made guests, built once for all tests of this host; the build script keeps what is up to date.</summary>
internal static class Guests
{
    private static readonly SemaphoreSlim Building = new(1);

    private static string ImagesFolder => Environment.GetEnvironmentVariable("GODWIT_TEST_IMAGES") ?? "/var/tmp/godwit-test-images";

    /// <summary>The image, or a skip that says what is missing.</summary>
    public static async Task<MachineImage> RequireAsync(string name, CancellationToken stopping)
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root: machines get users, cgroups and taps of their own");
        Assert.SkipUnless(File.Exists("/usr/bin/qemu-system-x86_64"), "needs QEMU: install the package qemu-system-x86");
        await Building.WaitAsync(stopping);
        try
        {
            if (!Directory.Exists(Path.Combine(ImagesFolder, name)))
            {
                await BuildAsync(name, stopping);
            }
        }
        finally
        {
            Building.Release();
        }

        return new ImageStore(ImagesFolder).Open(name);
    }

    /// <summary>An image that takes minutes to build: used where somebody has built it, else a skip that says how.</summary>
    public static MachineImage RequireBuilt(string name)
    {
        var folder = new[] { ImagesFolder, "/var/lib/godwit/images" }.FirstOrDefault(each => File.Exists(Path.Combine(each, name, "image.json")));
        Assert.SkipUnless(folder is not null, $"the guest '{name}' is not built; it takes minutes: guests/build.sh {name}");
        return new ImageStore(folder!).Open(name);
    }

    private static async Task BuildAsync(string name, CancellationToken stopping)
    {
        var script = Path.Combine(FindRepository(), "guests", "build.sh");
        var start = new ProcessStartInfo("/bin/bash", [script, name]) { RedirectStandardError = true };
        start.Environment["GODWIT_IMAGES"] = ImagesFolder;
        using var build = Process.Start(start) ?? throw new InvalidOperationException("bash could not be started");
        var words = await build.StandardError.ReadToEndAsync(stopping);
        await build.WaitForExitAsync(stopping);
        Assert.SkipUnless(build.ExitCode == 0, $"the guest '{name}' could not be built: {words}");
    }

    private static string FindRepository()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Godwit.slnx")))
            {
                return folder;
            }
        }

        throw new InvalidOperationException("The tests do not lie inside the repository.");
    }
}
