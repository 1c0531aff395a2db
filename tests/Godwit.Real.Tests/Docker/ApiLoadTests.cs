using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Godwit.Linux.Networking;
using Godwit.Real.Tests.Containers;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Docker;

/// <summary>Many containers and much output through the API of an engine process, and what that process and the host have afterwards.</summary>
[Trait("Needs", "docker")]
public sealed class ApiLoadTests
{
    private const int Together = 8;

    /// <summary>Of version 1: one of many that all have the same groups; version 2 has one hierarchy.</summary>
    private const string TasksHierarchy = "/sys/fs/cgroup/pids";

    /// <summary>What a process that has worked hard may keep of it: the collector's and the pools' business, not a leak of a thousand of anything.</summary>
    private const long GrowthBytesMax = 96L << 20;

    [Fact]
    public async Task A_thousand_containers_made_and_removed_leave_nothing_behind()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        using var client = engine.Connect(Together);
        await ManyAsync(client, 40, runsEvery: 1); // What is opened once and kept is open by now.
        var (before, memoryBefore) = (Count(engine), Memory(engine));
        await ManyAsync(client, 1000, runsEvery: 10);
        await SameAgainAsync(engine, before);
        Assert.True(Memory(engine) < memoryBefore + GrowthBytesMax, $"{memoryBefore} bytes before, {Memory(engine)} after");
    }

    [Fact]
    public async Task Fifty_run_at_once_each_with_its_own_of_everything_and_nothing_stays_of_them()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        using var client = engine.Connect(Together);
        await ManyAsync(client, 8, runsEvery: 1);
        var (before, memoryBefore) = (Count(engine), Memory(engine));
        await Parallel.ForAsync(0, 50, new ParallelOptions { MaxDegreeOfParallelism = Together, CancellationToken = EngineLab.Stopping }, async (number, stopping) =>
            await PostAsync(client, $"containers/{await CreateAsync(client, string.Create(CultureInfo.InvariantCulture, $"echo {number}; exec sleep 1000"), stopping)}/start", stopping));
        var running = (await engine.MustAsync("ps", "-q", "--no-trunc")).Split('\n');
        Assert.Equal(50, running.Length);
        var during = Count(engine);
        Assert.Equal((before.Mounts + 50, before.Namespaces + 50, before.Devices + 50, before.ControlGroups + 50), (during.Mounts, during.Namespaces, during.Devices, during.ControlGroups));
        var logs = new List<string>();
        foreach (var id in running)
        {
            await EngineLab.UntilAsync(async () => (await client.GetStringAsync(new Uri($"http://engine/v1.41/containers/{id}/logs?stdout=1"), EngineLab.Stopping)).Length > 8, "it has printed");
            logs.Add((await client.GetStringAsync(new Uri($"http://engine/v1.41/containers/{id}/logs?stdout=1"), EngineLab.Stopping))[8..].Trim());
        }

        Assert.Equal(Enumerable.Range(0, 50), logs.Select(text => int.Parse(text, CultureInfo.InvariantCulture)).Order());
        await engine.MustAsync(["rm", "-f", .. running]);
        await SameAgainAsync(engine, before);
        Assert.True(Memory(engine) < memoryBefore + GrowthBytesMax, $"{memoryBefore} bytes before, {Memory(engine)} after");
    }

    [Fact]
    public async Task A_million_lines_are_logged_and_read_back_whole_in_bounded_memory()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        using var client = engine.Connect(Together);
        await ManyAsync(client, 8, runsEvery: 1);
        var memoryBefore = Memory(engine);
        await engine.MustAsync("run", "--name", "printer", "--network", "none", DockerLab.Busybox, "busybox", "seq", "1000000");
        using var reader = engine.Begin("logs", "printer");
        var (number, highest) = (0, 0L);
        while (await reader.StandardOutput.ReadLineAsync(EngineLab.Stopping) is { } line)
        {
            number++;
            Assert.Equal(number, int.Parse(line, CultureInfo.InvariantCulture));
            highest = number % 100_000 == 0 ? Math.Max(highest, Memory(engine)) : highest;
        }

        await reader.WaitForExitAsync(EngineLab.Stopping);
        Assert.Equal(1_000_000, number);
        Assert.True(highest < memoryBefore + GrowthBytesMax, $"{memoryBefore} bytes before, {highest} meanwhile");
    }

    /// <summary>Its first program takes no notice of a refusal: whatever ends in there, it goes on.</summary>
    [Fact]
    public async Task One_that_forks_without_end_is_held_at_its_bound_and_everybody_else_stays_well()
    {
        const int tasksMax = 100;
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        using var client = engine.Connect(Together);
        await ManyAsync(client, 8, runsEvery: 1);
        await engine.MustAsync("run", "-d", "--name", "neighbour", "--network", "none", DockerLab.Busybox, "sleep", "1000");
        var (before, memoryBefore) = (Count(engine), Memory(engine));
        var id = await engine.MustAsync("run", "-d", "--name", "forks", "--network", "none", "--pids-limit", $"{tasksMax}", DockerLab.Busybox, "busybox", "awk", "BEGIN { while (1) system(\"sleep 1000 &\") }");
        var group = ControlGroups().Single(group => group.Contains(id, StringComparison.Ordinal) && File.ReadAllText(Path.Combine(group, "pids.max")).Trim() == $"{tasksMax}");
        await EngineLab.UntilAsync(() => Refused(group) > 0, "it is at its bound");

        var refused = Refused(group);
        Assert.Equal("well", await engine.MustAsync("run", "--rm", "--network", "none", DockerLab.Busybox, "echo", "well"));
        Assert.Equal("well", await engine.MustAsync("exec", "neighbour", "echo", "well"));
        Assert.Equal(["forks", "neighbour"], (await engine.MustAsync("ps", "--format", "{{.Names}}")).Split('\n').Order(StringComparer.Ordinal));
        Assert.InRange((await engine.MustAsync("top", "forks", "-eo", "pid,comm")).Split('\n').Length, 2, tasksMax + 1);
        Assert.InRange(int.Parse(await engine.MustAsync("stats", "--no-stream", "--format", "{{.PIDs}}", "forks"), CultureInfo.InvariantCulture), 2, tasksMax);
        await engine.DockerAsync("exec", "forks", "true"); // It may find room or not; it ends.
        await EngineLab.UntilAsync(() => Refused(group) > refused + tasksMax, "it goes on trying");
        Assert.InRange(Field(Path.Combine(group, "pids.current"), ""), 2, tasksMax);

        await engine.MustAsync("rm", "-f", "forks");
        await SameAgainAsync(engine, before);
        Assert.True(Memory(engine) < memoryBefore + GrowthBytesMax, $"{memoryBefore} bytes before, {Memory(engine)} after");
    }

    /// <summary>One client has stopped in the middle of a log, one never reads on what it is attached to, and one does not read what it executes.</summary>
    [Fact]
    public async Task One_that_prints_without_end_to_clients_that_do_not_read_costs_bounded_memory_and_nobody_waits()
    {
        const long printedBytesMin = 200L << 20;
        var line = new string('x', 4000);
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        using var client = engine.Connect(Together);
        await ManyAsync(client, 8, runsEvery: 1);
        var (before, memoryBefore) = (Count(engine), Memory(engine));
        await engine.MustAsync("run", "-d", "--name", "prints", "--network", "none", "--log-opt", "max-size=8m", "--log-opt", "max-file=2", DockerLab.Busybox, "busybox", "yes", line);
        string[][] commands = [["logs", "-f", "prints"], ["attach", "--no-stdin", "prints"], ["exec", "prints", "busybox", "yes", line]];
        var silent = commands.Select(command => engine.Begin(command)).ToList();
        foreach (var one in silent)
        {
            var first = await one.StandardOutput.ReadLineAsync(EngineLab.Stopping).AsTask().WaitAsync(EngineLab.Bound, EngineLab.Stopping);
            Assert.Matches("^x+$", first); // So it is connected, perhaps in the middle of a line. It is read no more.
        }

        await EngineLab.HostAsync("kill", "-STOP", $"{silent[0].Id}");
        var printer = $"/proc/{await engine.MustAsync("inspect", "--format", "{{.State.Pid}}", "prints")}/io";
        var (printed, highest) = (Printed(printer), 0L);
        await EngineLab.UntilAsync(
            () =>
            {
                highest = Math.Max(highest, Memory(engine));
                return Printed(printer) > printed + printedBytesMin;
            },
            "it has printed hundreds of megabytes");
        Assert.Equal("well", await engine.MustAsync("run", "--rm", "--network", "none", DockerLab.Busybox, "echo", "well"));
        Assert.Matches("^[x\n]+$", await engine.MustAsync("logs", "--tail", "1", "prints"));
        Assert.True(Math.Max(highest, Memory(engine)) < memoryBefore + GrowthBytesMax, $"{memoryBefore} bytes before, {highest} meanwhile");
        Assert.All(silent, one => Assert.False(one.HasExited));

        await engine.MustAsync("rm", "-f", "prints"); // Though they all are connected.
        foreach (var one in silent)
        {
            one.Kill();
            await one.WaitForExitAsync(EngineLab.Stopping);
            one.Dispose();
        }

        await SameAgainAsync(engine, before);
    }

    /// <summary>What the engine does after its answer, and the kernel after a process's end, takes a moment.</summary>
    private static async Task SameAgainAsync(EngineProcess engine, Things before)
    {
        try
        {
            await EngineLab.UntilAsync(() => Count(engine) == before, "all is as before");
        }
        catch (Exception) when (Count(engine) != before)
        {
            Assert.Equal(before, Count(engine));
        }
    }

    private static Task ManyAsync(HttpClient client, int count, int runsEvery) => Parallel.ForAsync(
        0,
        count,
        new ParallelOptions { MaxDegreeOfParallelism = Together, CancellationToken = EngineLab.Stopping },
        async (number, stopping) =>
        {
            var id = await CreateAsync(client, "true", stopping);
            if (number % runsEvery == 0)
            {
                await PostAsync(client, $"containers/{id}/start", stopping);
                await PostAsync(client, $"containers/{id}/wait", stopping);
            }

            using var answer = await client.DeleteAsync(new Uri($"http://engine/v1.41/containers/{id}?force=1&v=1"), stopping);
            answer.EnsureSuccessStatusCode();
        });

    private static async Task<string> CreateAsync(HttpClient client, string script, CancellationToken stopping)
    {
        using var answer = await client.PostAsJsonAsync(new Uri("http://engine/v1.41/containers/create"), new JsonObject { ["Image"] = DockerLab.Busybox, ["Cmd"] = new JsonArray("sh", "-c", script) }, stopping);
        answer.EnsureSuccessStatusCode();
        return (string)(await answer.Content.ReadFromJsonAsync<JsonObject>(stopping))!["Id"]!;
    }

    private static async Task PostAsync(HttpClient client, string path, CancellationToken stopping)
    {
        using var answer = await client.PostAsync(new Uri($"http://engine/v1.41/{path}"), content: null, stopping);
        answer.EnsureSuccessStatusCode();
        await answer.Content.CopyToAsync(Stream.Null, stopping);
    }

    private static long Memory(EngineProcess engine) => Field($"/proc/{engine.ProcessId}/status", "VmRSS:") << 10;

    /// <summary>Bytes that a process has written, to whatever.</summary>
    private static long Printed(string file) => Field(file, "wchar:");

    /// <summary>How many forks the kernel has refused a group.</summary>
    private static long Refused(string group) => Field(Path.Combine(group, "pids.events"), "max");

    /// <summary>The number of the line that begins with this name.</summary>
    private static long Field(string file, string name) =>
        long.Parse(File.ReadLines(file).First(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);

    private static IEnumerable<string> ControlGroups() => Directory.EnumerateDirectories(Directory.Exists(TasksHierarchy) ? TasksHierarchy : "/sys/fs/cgroup", "*", SearchOption.AllDirectories);

    /// <summary>What containers could leave, on the host and in the engine. Of its descriptors those that are for containers: pipes, holds on processes, files of its own.</summary>
    private static Things Count(EngineProcess engine) => new(
        File.ReadAllLines("/proc/self/mounts").Count(line => line.Contains($"{engine.DataFolder}/", StringComparison.Ordinal)),
        NetworkNamespace.List().Count(name => name.StartsWith(engine.LinkPrefix, StringComparison.Ordinal)),
        Directory.EnumerateFileSystemEntries($"/proc/{engine.ProcessId}/fd").Select(Target).Count(target =>
            target.StartsWith("pipe:", StringComparison.Ordinal) || target.StartsWith("anon_inode:[pidfd", StringComparison.Ordinal) || target.StartsWith(engine.Folder, StringComparison.Ordinal)),
        ControlGroups().Count(group => group.Contains(engine.Instance, StringComparison.Ordinal)),
        Directory.EnumerateFileSystemEntries("/sys/class/net").Count(device => Path.GetFileName(device).StartsWith(engine.LinkPrefix, StringComparison.Ordinal)),
        Directory.EnumerateDirectories(Path.Combine(engine.DataFolder, "engine/containers")).Count(),
        Zombies(engine.ProcessId),
        Directory.EnumerateDirectories("/proc").Count(folder => IsOther(folder, engine)));

    /// <summary>A process of the engine's, a monitor or a name server, or one in a container.</summary>
    private static bool IsOther(string folder, EngineProcess engine) => int.TryParse(Path.GetFileName(folder), out var id) && id != engine.ProcessId
        && (Read(folder, "cmdline") + Read(folder, "cgroup")).Contains($"godwit-{engine.Instance}", StringComparison.Ordinal);

    private static int Zombies(int parent) => Directory.EnumerateDirectories("/proc").Count(folder =>
        int.TryParse(Path.GetFileName(folder), out _) && Read(folder, "stat").Split(") ").Last().Split(' ') is ["Z", var of, ..] && of == parent.ToString(CultureInfo.InvariantCulture));

    /// <summary>What the kernel says of a process; nothing of one that is gone.</summary>
    private static string Read(string folder, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, file));
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string Target(string link)
    {
        try
        {
            return new FileInfo(link).LinkTarget ?? "";
        }
        catch (IOException)
        {
            return ""; // Closed meanwhile.
        }
    }

    private readonly record struct Things(int Mounts, int Namespaces, int Descriptors, int ControlGroups, int Devices, int Folders, int Zombies, int Processes);
}
