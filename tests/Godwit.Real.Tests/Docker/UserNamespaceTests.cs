using System.Globalization;
using Godwit.Linux.Processes;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Docker;

/// <summary>Containers whose users are not the host's, through the real <c>docker</c> command.</summary>
[Trait("Needs", "docker")]
public sealed class UserNamespaceTests
{
    private static readonly IdMap Users = new(700_000_000, 700_100_000, 65_536);

    [Fact]
    public async Task Root_inside_is_nobody_on_the_host_and_owns_what_is_the_containers()
    {
        await using var lab = await DockerLab.OpenAsync([], Users);
        await MustAsync(lab, "run", "-d", "--name", "box", "-v", "store:/data", "-v", $"{lab.Folder}:/host", DockerLab.Busybox, "sleep", "1000");

        var pid = await MustAsync(lab, "inspect", "--format", "{{.State.Pid}}", "box");
        Assert.Contains("Uid:\t700000000\t700000000", await File.ReadAllTextAsync($"/proc/{pid}/status", TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Contains("Gid:\t700100000\t700100000", await File.ReadAllTextAsync($"/proc/{pid}/status", TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal("0", await InsideAsync(lab, "busybox id -u"));
        Assert.Equal("0:0", await InsideAsync(lab, "busybox stat -c %u:%g /bin/busybox")); // Of the image's layer.
        Assert.Equal("0:0", await InsideAsync(lab, "busybox stat -c %u:%g /etc/hosts")); // Made by the engine for it.
        Assert.Equal("eth0 lo", await InsideAsync(lab, "echo $(ls /sys/class/net)")); // A network that is its own, the host's unseen.

        // What it makes belongs to its root; what is the host's own does not.
        Assert.Equal("5:6", await InsideAsync(lab, "touch /made /data/made && busybox chown 5:6 /made && busybox stat -c %u:%g /made"));
        Assert.Equal("0:0", await InsideAsync(lab, "busybox stat -c %u:%g /data/made"));
        Assert.Equal("65534:65534", await InsideAsync(lab, "busybox stat -c %u:%g /host/root.tar"));
        var (code, _, error) = await lab.DockerAsync("exec", "box", "touch", "/host/mine");
        Assert.True(code != 0 && error.Contains("Permission denied", StringComparison.Ordinal), error);

        // The same files to whoever has the host's users: nothing lies about under ids that only one container knows.
        Assert.Equal("0:0", await MustAsync(lab, "run", "--rm", "--userns=host", "-v", "store:/data", DockerLab.Busybox, "busybox", "stat", "-c", "%u:%g", "/data/made"));
        await MustAsync(lab, "commit", "box", "kept");
        Assert.Equal("5:6", await MustAsync(lab, "run", "--rm", "--userns=host", "kept", "busybox", "stat", "-c", "%u:%g", "/made"));
        Assert.Equal("5:6", await MustAsync(lab, "run", "--rm", "--network", "none", "kept", "busybox", "stat", "-c", "%u:%g", "/made"));
    }

    [Fact]
    public async Task Copies_exports_and_restarts_keep_the_ids_that_the_container_knows()
    {
        await using var lab = await DockerLab.OpenAsync([], Users);
        await MustAsync(lab, "run", "-d", "--name", "box", "--storage-opt", "size=64M", "--network", "none", DockerLab.Busybox, "sleep", "1000");
        await InsideAsync(lab, "touch /made && busybox chown 5:6 /made");
        await MustAsync(lab, "cp", "/etc/hostname", "box:/copied");
        Assert.Equal("0:0", await InsideAsync(lab, "busybox stat -c %u:%g /copied"));
        await MustAsync(lab, "cp", "box:/made", Path.Combine(lab.Folder, "out"));
        Assert.Equal("5/6", await OwnerInAsync(lab, "made", "cp", "box:/made", "-"));
        Assert.Equal("5/6", await OwnerInAsync(lab, "made", "export", "box"));

        await MustAsync(lab, "stop", "-t", "0", "box");
        Assert.Equal("5/6", await OwnerInAsync(lab, "made", "cp", "box:/made", "-"));
        await MustAsync(lab, "cp", "/etc/hostname", "box:/at-rest");
        await MustAsync(lab, "start", "box");
        Assert.Equal("5:6 0:0 0:0", await InsideAsync(lab, "echo $(busybox stat -c %u:%g /made /copied /at-rest)"));
        Assert.Equal("/dev/pts/0", (await MustAsync(lab, "run", "--rm", "-t", "--network", "none", DockerLab.Busybox, "tty")).TrimEnd('\r'));
    }

    [Fact]
    public async Task A_new_volume_gets_the_images_files_with_their_owners_and_a_network_is_shared_with_its_users()
    {
        await using var lab = await DockerLab.OpenAsync([], Users);
        await MustAsync(lab, "run", "--name", "seed", "--network", "none", DockerLab.Busybox, "sh", "-c", "busybox mkdir /seed && touch /seed/file && busybox chown 7:8 /seed/file");
        await MustAsync(lab, "commit", "seed", "seeded");
        await MustAsync(lab, "run", "-d", "--name", "box", "-v", "filled:/seed", "seeded", "sleep", "1000");
        Assert.Equal("7:8", await InsideAsync(lab, "busybox stat -c %u:%g /seed/file"));

        var space = await InsideAsync(lab, "busybox readlink /proc/self/ns/user");
        Assert.Equal(space, await MustAsync(lab, "run", "--rm", "--network", "container:box", "--pid", "container:box", DockerLab.Busybox, "busybox", "readlink", "/proc/self/ns/user"));
        var (code, _, error) = await lab.DockerAsync("run", "--rm", "--pid", "container:box", DockerLab.Busybox, "true");
        Assert.True(code == 125 && error.Contains("cannot share namespaces with container box", StringComparison.Ordinal), error);
    }

    [Fact]
    public async Task What_such_a_container_cannot_share_with_the_host_is_refused_by_name()
    {
        await using var lab = await DockerLab.OpenAsync([], Users);
        await RefusedAsync("privileged mode is incompatible with user namespaces", "--privileged");
        await RefusedAsync("cannot share the host's network namespace when user namespaces are enabled", "--network", "host");
        await RefusedAsync("cannot share the host PID namespace when user namespaces are enabled", "--pid", "host");
        await RefusedAsync("cannot share the host IPC namespace when user namespaces are enabled", "--ipc", "host");
        Assert.Equal("0", await MustAsync(lab, "run", "--rm", "--userns=host", "--privileged", "--network", "host", DockerLab.Busybox, "busybox", "id", "-u"));
        Assert.Contains("name=userns", await MustAsync(lab, "info", "--format", "{{.SecurityOptions}}"), StringComparison.Ordinal);

        async Task RefusedAsync(string words, params string[] options)
        {
            var (code, _, error) = await lab.DockerAsync(["run", "--rm", .. options, DockerLab.Busybox, "true"]);
            Assert.True(code == 125 && error.Contains(words, StringComparison.Ordinal) && error.Contains("--userns=host", StringComparison.Ordinal), error);
        }
    }

    [Fact]
    public async Task A_builds_steps_have_users_of_their_own_too()
    {
        await using var lab = await DockerLab.OpenAsync([], Users);
        var context = Directory.CreateDirectory(Path.Combine(lab.Folder, "context")).FullName;
        await File.WriteAllTextAsync(Path.Combine(context, "input"), "from the context\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), $$"""
            FROM {{DockerLab.Busybox}} AS first
            RUN echo readable > /shared
            FROM {{DockerLab.Busybox}}
            RUN echo users $(busybox awk '{print $2}' /proc/self/uid_map) $(busybox awk '{print $2}' /proc/self/gid_map) $(busybox id -u)
            RUN touch /made && busybox chown 5:6 /made
            RUN echo owner $(busybox stat -c %u:%g /made)
            RUN --mount=type=cache,target=/cache touch /cache/kept && echo cache $(busybox stat -c %u:%g /cache /cache/kept)
            RUN --mount=type=cache,target=/cache busybox test -f /cache/kept && echo cached $(busybox stat -c %u:%g /cache/kept)
            RUN --mount=type=bind,target=/context,source=. echo bound $(busybox stat -c %u:%g /context/input) $(cat /context/input)
            RUN --mount=type=bind,from=first,target=/first,source=/ echo stage $(cat /first/shared)
            RUN --mount=type=tmpfs,target=/scratch touch /scratch/file && echo memory $(busybox stat -c %u:%g /scratch/file)
            """, TestContext.Current.CancellationToken);
        var printed = await MustAsync(lab, "build", "-t", "built", context);
        foreach (var line in new[]
                 {
                     "users 700000000 700100000 0", "owner 5:6", "cache 0:0 0:0", "cached 0:0", "bound 0:0 from the context", "stage readable", "memory 0:0",
                 })
        {
            Assert.Contains(line, printed, StringComparison.Ordinal);
        }

        Assert.Equal("5:6", await MustAsync(lab, "run", "--rm", "--userns=host", "--network", "none", "built", "busybox", "stat", "-c", "%u:%g", "/made"));
        Assert.Equal("5:6", await MustAsync(lab, "run", "--rm", "--network", "none", "built", "busybox", "stat", "-c", "%u:%g", "/made"));
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), $"FROM {DockerLab.Busybox}\nRUN touch /never\n", TestContext.Current.CancellationToken);
        var (code, _, error) = await lab.DockerAsync("build", "--network", "host", context);
        Assert.True(code != 0 && error.Contains("cannot share the host's network namespace when user namespaces are enabled", StringComparison.Ordinal), error);
    }

    [Fact]
    public async Task A_builds_secrets_are_read_by_their_step_alone_whoever_its_users_are()
    {
        Assert.SkipUnless(File.Exists(GodwitLab.Program), $"needs the program {GodwitLab.Program}: run eng/publish.sh");
        await using var lab = await DockerLab.OpenAsync([], Users);
        var context = Directory.CreateDirectory(Path.Combine(lab.Folder, "context")).FullName;
        var secret = Path.Combine(lab.Folder, "secret");
        await File.WriteAllTextAsync(secret, "nobody else's\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), $$"""
            FROM {{DockerLab.Busybox}}
            RUN --mount=type=secret,id=key test "$(cat /run/secrets/key)" = "nobody else's" && echo owner $(busybox stat -c %u:%g:%a /run/secrets/key)
            RUN test ! -s /run/secrets/key && echo gone
            """, TestContext.Current.CancellationToken);
        string[] build = ["build", "--socket", lab.Socket, "--network", "none", "-t", "built", context];
        var built = (await Command.RunAsync(GodwitLab.Program, [.. build, "--secret", $"id=key,src={secret}"], Containers.EngineLab.Bound)).MustSucceed();
        Assert.Contains("owner 0:0:400", built.Output, StringComparison.Ordinal);
        Assert.Contains("gone", built.Output, StringComparison.Ordinal);
        var saved = Path.Combine(lab.Folder, "saved.tar");
        await MustAsync(lab, "save", "-o", saved, "built");
        Assert.NotEqual(0, (await Command.RunAsync("grep", ["-aq", "nobody else's.$", saved], Containers.EngineLab.Bound)).ExitCode);
        var without = await Command.RunAsync(GodwitLab.Program, ["build", "--socket", lab.Socket, "--network", "none", "--no-cache", context], Containers.EngineLab.Bound);
        Assert.NotEqual(0, without.ExitCode);
    }

    private static async Task<string> InsideAsync(DockerLab lab, string script) => await MustAsync(lab, "exec", "box", "sh", "-c", script);

    private static async Task<string> MustAsync(DockerLab lab, params string[] arguments)
    {
        var (code, output, error) = await lab.DockerAsync(arguments);
        Assert.True(code == 0, $"docker {string.Join(' ', arguments)}: {code}\n{output}\n{error}");
        return output.TrimEnd();
    }

    /// <summary>Who owns a member of the tar that this command writes, by number (tar(1)).</summary>
    private static async Task<string> OwnerInAsync(DockerLab lab, string member, params string[] command)
    {
        var list = await lab.RunAsync("/bin/sh", "", ["-c", string.Create(CultureInfo.InvariantCulture, $"{DockerClients.Newest} {string.Join(' ', command)} | tar -tv --numeric-owner")]);
        Assert.True(list.Code == 0, list.Error);
        return list.Output.Split('\n').First(line => line.EndsWith(' ' + member, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
    }
}
