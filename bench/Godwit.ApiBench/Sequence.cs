using System.Diagnostics;

namespace Godwit.ApiBench;

/// <summary>
/// The measured sequence, in the reference's shape: config maps of 256 bytes, closed loops of so many clients each on a
/// connection of its own that is open before the clock starts; lists by one client; watches with an open-loop writer.
/// </summary>
internal sealed class Sequence(ServerProcess server, int divisor, Results results, CancellationToken stopping)
{
    private const int WatchSeconds = 10;

    public static async Task RunAsync(string program, int divisor, Results results, CancellationToken stopping)
    {
        var data = Directory.CreateTempSubdirectory($"godwit-bench-{Environment.ProcessId}-").FullName;
        try
        {
            using (var server = await ServerProcess.StartAsync(program, data, stopping))
            {
                results.Add(Row.ReadyFresh, new Sample(server.ReadyAfter.TotalMilliseconds, CpuMs: server.CpuSeconds * 1000));
                results.Add(Row.MemoryAtReady, new Sample(server.ResidentMegabytes));
                await new Sequence(server, divisor, results, stopping).RunAsync();
            }

            using var again = await ServerProcess.StartAsync(program, data, stopping);
            results.Add(Row.ReadyWithData, new Sample(again.ReadyAfter.TotalMilliseconds, CpuMs: again.CpuSeconds * 1000));
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    private async Task RunAsync()
    {
        await MakeNamespacesAsync("l1k", "l10k", "l50k");
        await LoopAsync(Row.CreateOne, 1, 1000, (client, number) => client.CreateAsync("l1k", number, stopping));
        await LoopAsync(Row.Create, 16, 10_000, (client, number) => client.CreateAsync("l10k", number, stopping));
        await LoopAsync(Row.CreateMany, 64, 50_000, (client, number) => client.CreateAsync("l50k", number, stopping));
        results.Add(Row.MemoryWithObjects, new Sample(server.ResidentMegabytes));
        await LoopAsync(Row.GetOne, 1, 2000, (client, number) => client.GetAsync("l10k", Any(number), stopping));
        await LoopAsync(Row.Get, 16, 20_000, (client, number) => client.GetAsync("l10k", Any(number), stopping));
        await LoopAsync(Row.GetMany, 64, 20_000, (client, number) => client.GetAsync("l10k", Any(number), stopping));
        await ListsAsync(1000, "l1k", 17, 60, 49, 2.5);
        await ListsAsync(10_000, "l10k", 143, 629, 567, 47);
        await ListsAsync(50_000, "l50k", 990, 3867, 4422, 51);
        await LoopAsync(Row.Put, 16, 5000, (client, number) => client.PutAsync("l10k", number, stopping));
        await LoopAsync(Row.Patch, 16, 5000, (client, number) => client.PatchAsync("l10k", number, stopping));
        await LoopAsync(Row.Apply, 16, 5000, (client, number) => client.ApplyAsync("l10k", number, stopping));
        await LoopAsync(Row.Delete, 16, 5000, (client, number) => client.DeleteAsync("l10k", number, stopping));
        await WatchAsync(100, 200, 20_000);
        await WatchAsync(1000, 50, 44_200);
        await WatchAsync(1000, 100, 48_400);
        results.Add(Row.MemoryPeak, new Sample(server.PeakMegabytes));
    }

    private int Any(int number) => (int)((uint)number * 2654435761 % (uint)(10_000 / divisor));

    private async Task MakeNamespacesAsync(params string[] names)
    {
        using var client = new LoadClient(server.Token);
        foreach (var name in names)
        {
            await client.MakeNamespaceAsync(name, stopping);
        }
    }

    private async Task LoopAsync(Row row, int clients, int count, Func<LoadClient, int, Task> send)
    {
        count /= divisor;
        var all = await ConnectAsync(clients);
        var latencies = new double[count];
        var next = -1;
        var (cpu, started) = (server.CpuSeconds, Stopwatch.GetTimestamp());
        await Task.WhenAll(all.Select(async client =>
        {
            while (Interlocked.Increment(ref next) is var number && number < count)
            {
                var sent = Stopwatch.GetTimestamp();
                await send(client, number);
                latencies[number] = Stopwatch.GetElapsedTime(sent).TotalMilliseconds;
            }
        }));
        var elapsed = Stopwatch.GetElapsedTime(started);
        Array.Sort(latencies);
        results.Add(row, new Sample(count / elapsed.TotalSeconds, latencies[count / 2], latencies[count * 99 / 100], (server.CpuSeconds - cpu) * 1000 / count));
        all.ForEach(client => client.Dispose());
    }

    private async Task ListsAsync(int count, string ns, double whole, double pages, double table, double selected)
    {
        const string Json = "application/json";
        await ListAsync(Row.ListWhole(count, whole), ns, "", Json);
        await ListAsync(Row.ListPages(count, pages), ns, "limit=500", Json);
        await ListAsync(Row.ListTable(count, table), ns, "limit=500", "application/json;as=Table;v=v1;g=meta.k8s.io");
        await ListAsync(Row.ListSelected(count, selected), ns, "labelSelector=shard%3D7", Json);
    }

    private async Task ListAsync(Row row, string ns, string query, string accept)
    {
        const int Times = 20;
        using var client = new LoadClient(server.Token);
        await client.ConnectAsync(stopping);
        var times = new List<double>();
        var cpu = server.CpuSeconds;
        for (var round = 0; round < Times; round++)
        {
            var sent = Stopwatch.GetTimestamp();
            await client.ListAsync(ns, query, accept, stopping);
            times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
        }

        times.Sort();
        results.Add(row, new Sample(times[Times / 2], times[Times / 2], times[Times * 99 / 100], (server.CpuSeconds - cpu) * 1000 / Times));
    }

    private async Task WatchAsync(int watchers, int writesPerSecond, double reference)
    {
        const int WatchesPerConnection = 50;
        const int Writers = 8;
        var ns = $"w{watchers}x{writesPerSecond}";
        await MakeNamespacesAsync(ns);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var run = new WatchRun();
        var clients = await ConnectAsync((watchers + WatchesPerConnection - 1) / WatchesPerConnection);
        var readers = Enumerable.Range(0, watchers).Select(number => run.FollowAsync(clients[number / WatchesPerConnection], LoadClient.Collection(ns), ending.Token)).ToList();
        var (sentAt, latencies) = (new long[2 * WatchSeconds * writesPerSecond], new List<double>());
        using var probe = new LoadClient(server.Token);
        readers.Add(run.ProbeAsync(probe, LoadClient.Collection(ns), number => Volatile.Read(ref sentAt[number]), latencies, ending.Token));
        await run.UntilOpenAsync(watchers + 1, stopping);
        var writers = await ConnectAsync(Writers);
        var written = -1;
        var (cpu, started) = (server.CpuSeconds, Stopwatch.GetTimestamp());
        await Task.WhenAll(writers.Select(async writer =>
        {
            using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
            while (Stopwatch.GetElapsedTime(started).TotalSeconds < WatchSeconds)
            {
                if (Volatile.Read(ref written) + 1 < Stopwatch.GetElapsedTime(started).TotalSeconds * writesPerSecond)
                {
                    var number = Interlocked.Increment(ref written);
                    Volatile.Write(ref sentAt[number], Stopwatch.GetTimestamp());
                    await writer.CreateAsync(ns, number, stopping);
                }
                else
                {
                    await ticks.WaitForNextTickAsync(stopping);
                }
            }
        }));
        await run.UntilDeliveredAsync((written + 1L) * watchers, stopping);
        var (elapsed, used) = (Stopwatch.GetElapsedTime(started), server.CpuSeconds - cpu);
        await WatchRun.UntilProbedAsync(latencies, written + 1L, stopping);
        await ending.CancelAsync();
        await Task.WhenAll(readers);
        latencies.Sort();
        results.Add(
            Row.Watch(watchers, writesPerSecond, reference),
            new Sample(run.Delivered / elapsed.TotalSeconds, latencies[latencies.Count / 2], latencies[latencies.Count * 99 / 100], used * 1000 / run.Delivered));
        clients.ForEach(client => client.Dispose());
        writers.ForEach(client => client.Dispose());
    }

    private async Task<List<LoadClient>> ConnectAsync(int count)
    {
        var clients = Enumerable.Range(0, count).Select(_ => new LoadClient(server.Token)).ToList();
        await Task.WhenAll(clients.Select(client => client.ConnectAsync(stopping)));
        return clients;
    }
}
