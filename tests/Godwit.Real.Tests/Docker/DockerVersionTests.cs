namespace Godwit.Real.Tests.Docker;

/// <summary>Every command of <c>docker</c> that speaks of images, containers, networks and volumes, with each of its versions that this host has.</summary>
[Trait("Needs", "docker")]
public sealed class DockerVersionTests
{
    private const string Sleeper = "sleeper";

    /// <summary>In order; <c>{dir}</c> is a folder of the test's own. Each must succeed and print what stands beside it; null is whatever.</summary>
    private static readonly (string Command, string? Prints)[] Day =
    [
        ("version --format {{.Server.MinAPIVersion}}", "1.24"), ("info --format {{.OSType}}", "linux"), ("images -q", null),
        ("network create --subnet 10.251.7.0/24 --label kind=test first", null), ("network ls -q", null), ("network inspect first", "10.251.7.0/24"),
        ("volume create kept", "kept"), ("volume ls", "kept"), ("volume inspect kept", "\"local\""),
        ("create --name idle --network none " + DockerLab.Busybox + " true", null), ("start idle", "idle"), ("wait idle", "0"), ("container prune -f --filter label=none", null),
        ("run -d --name " + Sleeper + " --network first -v kept:/kept --label kind=test -p 127.0.0.1::80 " + DockerLab.Busybox + " sh -c 'trap exit TERM; echo begun; while sleep 0.1; do :; done'", null),
        ("ps --filter label=kind=test --format {{.Names}}", Sleeper), ("port " + Sleeper, "80/tcp -> 127.0.0.1:"), ("top " + Sleeper, "sleep"), ("stats --no-stream --format {{.Name}} " + Sleeper, Sleeper),
        ("logs --tail 1 " + Sleeper, "begun"), ("logs --since 1h -t " + Sleeper, "Z begun"), ("logs --until 1h " + Sleeper, ""), ("exec -e WHO=me -w /kept " + Sleeper + " sh -c 'echo $WHO; echo data > file'", "me"), ("cp " + Sleeper + ":/kept/file {dir}/file", null),
        ("cp {dir}/file " + Sleeper + ":/tmp/again", null), ("diff " + Sleeper, "A /tmp/again"), ("pause " + Sleeper, null), ("unpause " + Sleeper, null),
        ("update --memory 64m --memory-swap 64m " + Sleeper, null), ("rename " + Sleeper + " renamed", null), ("restart -t 5 renamed", null), ("kill -s USR2 renamed", null),
        ("network create second", null), ("network connect --alias other second renamed", null), ("network disconnect first renamed", null),
        ("commit -m changed renamed made:1", "sha256:"), ("history -q made:1", null), ("tag made:1 made:2", null), ("save -o {dir}/made.tar made:1", null), ("rmi made:1 made:2", "Untagged: made:1"),
        ("load -i {dir}/made.tar", "Loaded image: made:1"), ("export -o {dir}/root.tar renamed", null), ("import {dir}/root.tar flat:1", "sha256:"), ("image inspect flat:1", "\"Layers\""),
        ("events --since 1h --until 1s --filter container=renamed --filter event=start", null), ("system df", "Containers"), ("stop -t 5 renamed", "renamed"),
        ("rm renamed", null), ("image prune -a -f --filter label=nothing", null), ("network prune -f", "first"), ("volume rm kept", "kept"), ("volume prune -f", null), ("system prune -f", null), ("ps -aq", ""),
    ];

    [Fact]
    public Task The_first_docker_20_does_a_days_work() => DayAsync(DockerClients.First, "Debian 11's docker");

    [Fact]
    public Task The_docker_that_Debian_tests_does_a_days_work() => DayAsync(DockerClients.Next, "the docker that Debian tests");

    [Fact]
    public Task Docker_20_does_a_days_work() => DayAsync(DockerClients.Oldest, "Debian 12's docker");

    [Fact]
    public Task Docker_26_does_a_days_work() => DayAsync(DockerClients.Middle, "Debian 13's docker");

    [Fact]
    public Task The_installed_docker_does_a_days_work() => DayAsync(DockerClients.Newest, "the docker command");

    /// <summary>
    /// What docker 23 (1.42), 24 (1.43), 25 (1.44), 26 (1.45) and 27 (1.46, 1.47) put on the wire: a client that is told a version sends what that version has, to its paths, and
    /// reads the answers as that version has them.
    /// </summary>
    [Theory]
    [InlineData("1.42")]
    [InlineData("1.43")]
    [InlineData("1.44")]
    [InlineData("1.45")]
    [InlineData("1.46")]
    [InlineData("1.47")]
    public Task The_versions_between_do_a_days_work(string version) => DayAsync(DockerClients.Newest, "the docker command", version);

    /// <summary>The same from a client that is no younger than the version.</summary>
    [Theory]
    [InlineData("1.42")]
    [InlineData("1.44")]
    public Task The_versions_between_do_a_days_work_for_docker_26(string version) => DayAsync(DockerClients.Middle, "Debian 13's docker", version);

    private static async Task DayAsync(string? docker, string what, string? version = null)
    {
        Assert.SkipUnless(docker is not null, $"needs {what}: run eng/setup.sh test");
        await using var lab = await DockerLab.OpenAsync();
        var chosen = version is null ? [] : new[] { ("version --format {{.Client.APIVersion}}", (string?)version) };
        foreach (var (command, prints) in chosen.Concat(Day))
        {
            var (code, output, error) = await lab.RunAsync(docker, "", Words(command.Replace("{dir}", lab.Folder, StringComparison.Ordinal)), version);
            Assert.True(code == 0 && (prints is null || (prints.Length == 0 ? output.Length == 0 : output.Contains(prints, StringComparison.Ordinal))), $"docker {command}: {code}\n{output}\n{error}");
        }
    }

    /// <summary>Words between blanks; those in single quotes are one.</summary>
    private static IEnumerable<string> Words(string line) =>
        line.Split('\'').SelectMany((part, index) => index % 2 == 1 ? [part] : part.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
