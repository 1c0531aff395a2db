using System.Diagnostics;
using Godwit.Api;

namespace Godwit.ApiBench;

/// <summary>
/// Pods: how many get a node in a second, from the first create until the last is bound, while 16 clients create them (they are done long before); and what a server needs, to start and to run,
/// with so many stored. Nodes are objects alone; nothing runs.
/// </summary>
internal sealed class PodSequence(string program, int divisor, Results results)
{
    private const string Namespace = "bench";
    private const string Json = "application/json";
    private const string Pods = $"/api/v1/namespaces/{Namespace}/pods";
    private const int Clients = 16;

    private static readonly TimeSpan SayEvery = TimeSpan.FromSeconds(5);

    /// <summary>Of the reference's sizes.</summary>
    public static IReadOnlyList<(int Nodes, int Pods)> Clusters { get; } = [(100, 2000), (1000, 4000), (5000, 3000)];

    public static IReadOnlyList<int> Stored { get; } = [0, 1000, 10_000];

    /// <summary>The scheduler's decisions alone.</summary>
    public Task Decide(int nodes, int pods)
    {
        Decisions.Run(nodes, pods / divisor, results);
        return Task.CompletedTask;
    }

    /// <summary>From the first create until the last pod is bound.</summary>
    public Task ScheduleAsync(int nodes, int pods, CancellationToken stopping) => InFolderAsync(data => ScheduleAsync(data, nodes, pods / divisor, stopping));

    /// <summary>From the first pod that is bound until the last, of pods that were all there before the scheduler began.</summary>
    public Task BindBacklogAsync(int nodes, int pods, CancellationToken stopping) => InFolderAsync(data => BindBacklogAsync(data, nodes, pods / divisor, stopping));

    /// <summary>What a server needs that starts with so many pods.</summary>
    public Task StoreAsync(int pods, CancellationToken stopping) => InFolderAsync(data => StoreAsync(data, pods / divisor, stopping));

    private static async Task InFolderAsync(Func<string, Task> work)
    {
        var data = Directory.CreateTempSubdirectory($"godwit-bench-{Environment.ProcessId}-").FullName;
        try
        {
            await work(data);
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    private async Task ScheduleAsync(string data, int nodes, int pods, CancellationToken stopping)
    {
        using var server = await ServerProcess.StartAsync(program, data, stopping);
        await PrepareAsync(server, nodes, stopping);
        Steps.Say($"{nodes} nodes are made; {pods} pods come now");
        var (cpu, started) = (server.CpuSeconds, Stopwatch.GetTimestamp());
        await ManyAsync(server, pods, (client, number) => client.SendAsync(HttpMethod.Post, Pods, Pod(number, node: null), Json, stopping));
        using var asking = new LoadClient(server.Token);
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        var said = Stopwatch.GetTimestamp();
        while (await asking.CountAsync($"{Pods}?fieldSelector=spec.nodeName%3D&limit=1", stopping) is > 0 and var left)
        {
            if (Stopwatch.GetElapsedTime(said) > SayEvery)
            {
                said = Stopwatch.GetTimestamp();
                Steps.Say($"{left} of {pods} pods have no node yet");
            }

            await look.WaitForNextTickAsync(stopping);
        }

        var elapsed = Stopwatch.GetElapsedTime(started);
        results.Add(Row.Bound(nodes), new Sample(pods / elapsed.TotalSeconds, CpuMs: (server.CpuSeconds - cpu) * 1000 / pods));
        results.Add(Row.MemoryOfNodes(nodes), new Sample(server.ResidentMegabytes));
    }

    private async Task BindBacklogAsync(string data, int nodes, int pods, CancellationToken stopping)
    {
        using var server = await ServerProcess.StartAsync(program, data, stopping);
        using var client = new LoadClient(server.Token);
        await using var pause = await ControllerPause.BeginAsync(client, stopping);
        await PrepareAsync(server, nodes, stopping);
        await ManyAsync(server, pods, (each, number) => each.SendAsync(HttpMethod.Post, Pods, Pod(number, node: null), Json, stopping));
        Steps.Say($"{nodes} nodes and {pods} pods are made; the scheduler may begin now");
        using var binds = await BindWatch.OpenAsync(client, Pods, stopping);
        await pause.EndAsync(stopping);
        await binds.UntilAsync(1, stopping);
        var cpu = server.CpuSeconds;
        var began = await pause.BegunAgainAsync(stopping);
        await binds.UntilAsync(pods, stopping);
        var elapsed = binds.Latest - binds.First;
        results.Add(Row.Backlog(nodes), new Sample((pods - 1) / elapsed.TotalSeconds, CpuMs: (server.CpuSeconds - cpu) * 1000 / (pods - 1)));
        results.Add(Row.BacklogBegun(nodes), new Sample((binds.First - began).TotalMilliseconds));
    }

    private async Task StoreAsync(string data, int pods, CancellationToken stopping)
    {
        using (var filling = await ServerProcess.StartAsync(program, data, stopping))
        {
            await PrepareAsync(filling, nodes: 1, stopping);
            await ManyAsync(filling, pods, (client, number) => client.SendAsync(HttpMethod.Post, Pods, Pod(number, "n0"), Json, stopping));
        }

        using var server = await ServerProcess.StartAsync(program, data, stopping);
        results.Add(Row.ReadyWithPods(pods), new Sample(server.ReadyAfter.TotalMilliseconds, CpuMs: server.CpuSeconds * 1000));

        // Until the controllers have read it all, which they have when they make something for a new object.
        using var client = new LoadClient(server.Token);
        await client.SendAsync(HttpMethod.Post, $"/api/v1/namespaces/{Namespace}/services", """{"metadata":{"name":"seen"},"spec":{"ports":[{"port":80}]}}""", Json, stopping);
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (await client.CountAsync($"/api/v1/namespaces/{Namespace}/services?fieldSelector=spec.clusterIP%3D&limit=1", stopping) > 0)
        {
            await look.WaitForNextTickAsync(stopping);
        }

        results.Add(Row.MemoryWithPods(pods), new Sample(server.ResidentMegabytes));
    }

    private static async Task PrepareAsync(ServerProcess server, int nodes, CancellationToken stopping)
    {
        using (var client = new LoadClient(server.Token))
        {
            await client.MakeNamespaceAsync(Namespace, stopping);
        }

        await ManyAsync(server, nodes, async (client, number) =>
        {
            await client.SendAsync(HttpMethod.Post, "/api/v1/nodes", Node(number), Json, stopping);
            await client.SendAsync(
                HttpMethod.Patch,
                $"/api/v1/nodes/n{number}/status",
                """{"status":{"allocatable":{"cpu":"16","memory":"32Gi","pods":"11000"},"conditions":[{"type":"Ready","status":"True"}]}}""",
                "application/merge-patch+json",
                stopping);
        });
    }

    /// <summary>As it is once it has joined: it has its address in the guests' network, for which it would wait in line before.</summary>
    private static string Node(int number) =>
        $$$"""
        {"metadata":{"name":"n{{{number}}}","labels":{"kubernetes.io/hostname":"n{{{number}}}"},"annotations":{"{{{AnnotationNames.StationAddress}}}":"10.99.{{{number / 250}}}.{{{(number % 250) + 1}}}"} } }
        """;

    /// <summary>Of the host's network, so that it waits for no address; it bears nodes that fall silent, as these do.</summary>
    private static string Pod(int number, string? node) =>
        $$$"""
        {"metadata":{"name":"p{{{number}}}","labels":{"app":"bench"} },
         "spec":{{{{(node is null ? "" : $"\"nodeName\":\"{node}\",")}}}"hostNetwork":true,"tolerations":[{"operator":"Exists"}],"automountServiceAccountToken":false,
         "containers":[{"name":"c","image":"none","resources":{"requests":{"cpu":"{{{(node is null ? "100m" : "1m")}}}","memory":"1Mi"} } }] } }
        """;

    private static async Task ManyAsync(ServerProcess server, int count, Func<LoadClient, int, Task> send)
    {
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async _ =>
        {
            using var client = new LoadClient(server.Token);
            while (Interlocked.Increment(ref next) is var number && number < count)
            {
                await send(client, number);
            }
        }));
    }
}
