using Godwit.Real.Tests.Containers;

namespace Godwit.Real.Tests.Docker;

/// <summary><c>--security-opt no-new-privileges</c>: what belongs to root and would run as root for anybody does not.</summary>
[Trait("Needs", "docker")]
public sealed class PrivilegeTests
{
    private const string Program = "/usr/bin/tini-static";

    /// <summary>busybox gives such rights back by itself; tini keeps them, and its child reads there which it has.</summary>
    private const string Look = "/bin/busybox grep -E '^(Uid|Gid|CapEff|NoNewPrivs):' /proc/$PPID/status";

    [Fact]
    public async Task With_no_new_privileges_a_program_that_would_run_as_root_gains_nothing()
    {
        Assert.SkipUnless(File.Exists(Program), "needs tini-static: install the package tini");
        await using var lab = await DockerLab.OpenAsync();
        var context = Directory.CreateDirectory(Path.Combine(lab.Folder, "context")).FullName;
        File.Copy(Program, Path.Combine(context, "rises"));
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), $"FROM {DockerLab.Busybox}\nCOPY --chmod=6755 rises /rises\nUSER 1000:1000\n", EngineLab.Stopping);
        var built = await lab.DockerAsync("build", "-t", "rising", context);
        Assert.True(built.Code == 0, built.Output + built.Error);

        // That it would: without the option it is root, with root's capabilities.
        const string risen = "Uid:\t1000\t0\t0\t0\nGid:\t1000\t0\t0\t0\nCapEff:\t00000000a80425fb\nNoNewPrivs:\t0\n";
        const string kept = "Uid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n";
        Assert.Equal(risen, await RunAsync(lab, ["run", "--rm", "--network", "none"], "rising"));
        Assert.Equal(kept, await RunAsync(lab, ["run", "--rm", "--network", "none", "--security-opt", "no-new-privileges"], "rising"));

        // Nor does one that is executed in there later.
        foreach (var (name, options, expected) in new[] { ("open", (string[])[], risen), ("held", ["--security-opt", "no-new-privileges:true"], kept) })
        {
            var started = await lab.DockerAsync(["run", "-d", "--name", name, "--network", "none", .. options, "rising", "sleep", "1000"]);
            Assert.True(started.Code == 0, started.Error);
            Assert.Equal(expected, await RunAsync(lab, ["exec"], name));
        }
    }

    private static async Task<string> RunAsync(DockerLab lab, string[] command, string what)
    {
        var (code, output, error) = await lab.DockerAsync([.. command, what, "/rises", "-s", "--", "sh", "-c", Look]);
        Assert.True(code == 0, output + error);
        return output;
    }
}
