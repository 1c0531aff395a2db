using System.Globalization;
using System.Net.Http.Json;
using System.Net.Sockets;
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
        using var client = Connect(engine);
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
        using var client = Connect(engine);
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
        using var client = Connect(engine);
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

    private static HttpClient Connect(EngineProcess engine) => new(new SocketsHttpHandler
    {
        MaxConnectionsPerServer = Together,
        ConnectCallback = async (_, stopping) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(engine.Host["unix://".Length..]), stopping);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });

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

    private static long Memory(EngineProcess engine) => long.Parse(
        File.ReadLines($"/proc/{engine.ProcessId}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture) << 10;

    /// <summary>What containers could leave, on the host and in the engine. Of its descriptors those that are for containers: pipes, holds on processes, files of its own.</summary>
    private static Things Count(EngineProcess engine) => new(
        File.ReadAllLines("/proc/self/mounts").Count(line => line.Contains($"{engine.DataFolder}/", StringComparison.Ordinal)),
        NetworkNamespace.List().Count(name => name.StartsWith(engine.LinkPrefix, StringComparison.Ordinal)),
        Directory.EnumerateFileSystemEntries($"/proc/{engine.ProcessId}/fd").Select(Target).Count(target =>
            target.StartsWith("pipe:", StringComparison.Ordinal) || target.StartsWith("anon_inode:[pidfd", StringComparison.Ordinal) || target.StartsWith(engine.Folder, StringComparison.Ordinal)),
        Directory.EnumerateDirectories(Directory.Exists(TasksHierarchy) ? TasksHierarchy : "/sys/fs/cgroup", "*", SearchOption.AllDirectories).Count(group => group.Contains(engine.Instance, StringComparison.Ordinal)),
        Directory.EnumerateFileSystemEntries("/sys/class/net").Count(device => Path.GetFileName(device).StartsWith(engine.LinkPrefix, StringComparison.Ordinal)),
        Directory.EnumerateDirectories(Path.Combine(engine.DataFolder, "engine/containers")).Count(),
        Zombies(engine.ProcessId));

    private static int Zombies(int parent) => Directory.EnumerateDirectories("/proc").Count(folder =>
    {
        try
        {
            return int.TryParse(Path.GetFileName(folder), out _) && File.ReadAllText(Path.Combine(folder, "stat")).Split(") ").Last().Split(' ') is ["Z", var of, ..] && of == parent.ToString(CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return false; // It is gone.
        }
    });

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

    private readonly record struct Things(int Mounts, int Namespaces, int Descriptors, int ControlGroups, int Devices, int Folders, int Zombies);
}
