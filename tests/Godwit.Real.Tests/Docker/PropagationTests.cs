using Godwit.Linux.Files;
using Godwit.Real.Tests.Containers;

namespace Godwit.Real.Tests.Docker;

/// <summary>What of the host's mounts a bind shows, and which of those that are made later.</summary>
[Trait("Needs", "docker")]
public sealed class PropagationTests
{
    [Fact]
    public async Task A_slave_sees_what_the_host_mounts_later_and_others_do_not()
    {
        await using var lab = await DockerLab.OpenAsync();
        // After the engine began: in its monitors' view of the host it must be there all the same.
        var source = Directory.CreateDirectory(Path.Combine(lab.Folder, "source")).FullName;
        var below = Path.Combine(source, "below");
        await EngineLab.HostAsync("mount", "-t", "tmpfs", "tmpfs", source);
        Directory.CreateDirectory(below);
        await File.WriteAllTextAsync(Path.Combine(source, "mounted"), "", EngineLab.Stopping);
        await RefusedAsync(lab, $"{source}:/b:rslave", "neither shared nor a slave");
        Mounts.Share(source);
        await RefusedAsync(lab, $"{source}:/b:rshared", "what a container mounts stays in it");
        foreach (var (name, option) in new[] { ("slave", ":rslave"), ("private", "") })
        {
            await MustAsync(lab, "run", "-d", "--name", name, "--network", "none", "-v", $"{source}:/b{option}", DockerLab.Busybox, "sleep", "1000");
            Assert.Contains("mounted", await MustAsync(lab, "exec", name, "ls", "/b"), StringComparison.Ordinal);
        }

        await EngineLab.HostAsync("mount", "-t", "tmpfs", "tmpfs", below);
        await File.WriteAllTextAsync(Path.Combine(below, "later"), "", EngineLab.Stopping);
        Assert.Equal("later", await MustAsync(lab, "exec", "slave", "ls", "/b/below"));
        Assert.Equal("", await MustAsync(lab, "exec", "private", "ls", "/b/below"));
        Mounts.Unmount(below);
        Assert.Equal("", await MustAsync(lab, "exec", "slave", "ls", "/b/below"));
        Assert.Equal("rslave", await MustAsync(lab, "inspect", "--format", "{{(index .Mounts 0).Propagation}}", "slave"));
    }

    private static async Task RefusedAsync(DockerLab lab, string bind, string words)
    {
        var (code, _, error) = await lab.DockerAsync("create", "--network", "none", "-v", bind, DockerLab.Busybox, "true");
        Assert.True(code != 0 && error.Contains(words, StringComparison.Ordinal), error);
    }

    private static async Task<string> MustAsync(DockerLab lab, params string[] arguments)
    {
        var (code, output, error) = await lab.DockerAsync(arguments);
        Assert.True(code == 0, $"docker {string.Join(' ', arguments)}: {code}\n{output}\n{error}");
        return output.TrimEnd();
    }
}
