namespace Godwit.ApiBench;

/// <summary>Counts the events that many watches deliver.</summary>
internal sealed class WatchRun
{
    private int open;
    private long delivered;

    public long Delivered => Volatile.Read(ref delivered);

    public async Task FollowAsync(LoadClient client, string collection, CancellationToken stopping)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            using var first = await client.OpenAsync(collection + "?limit=1", stopping);
            var version = System.Text.Json.Nodes.JsonNode.Parse(await first.Content.ReadAsStringAsync(stopping))!["metadata"]!["resourceVersion"];
            using var response = await client.OpenAsync($"{collection}?watch=1&resourceVersion={version}", stopping);
            response.EnsureSuccessStatusCode();
            await using var stream = await response.Content.ReadAsStreamAsync(stopping);
            Interlocked.Increment(ref open);
            while (await stream.ReadAsync(buffer, stopping) is var count and > 0)
            {
                // An event is a line.
                Interlocked.Add(ref delivered, buffer.AsSpan(0, count).Count((byte)'\n'));
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    /// <summary>One watch more, of which every event is read: how long after its write was sent each came. Ends with <paramref name="stopping"/>.</summary>
    /// <param name="client">Its connection.</param>
    /// <param name="collection">What is watched.</param>
    /// <param name="sentAt">When the object of that number was sent, as a time stamp.</param>
    /// <param name="latenciesMs">Filled, in the order of events.</param>
    /// <param name="stopping">Ends it.</param>
    public async Task ProbeAsync(LoadClient client, string collection, Func<int, long> sentAt, List<double> latenciesMs, CancellationToken stopping)
    {
        const string Mark = "\"name\":\"c";
        try
        {
            using var first = await client.OpenAsync(collection + "?limit=1", stopping);
            var version = System.Text.Json.Nodes.JsonNode.Parse(await first.Content.ReadAsStringAsync(stopping))!["metadata"]!["resourceVersion"];
            using var response = await client.OpenAsync($"{collection}?watch=1&resourceVersion={version}", stopping);
            response.EnsureSuccessStatusCode();
            using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(stopping));
            Interlocked.Increment(ref open);
            while (await lines.ReadLineAsync(stopping) is { } line)
            {
                if (line.IndexOf(Mark, StringComparison.Ordinal) is var at && at < 0)
                {
                    continue; // What every namespace gets by itself.
                }

                var digits = line.AsSpan(at + Mark.Length);
                var number = int.Parse(digits[..digits.IndexOf('"')], System.Globalization.CultureInfo.InvariantCulture);
                latenciesMs.Add(System.Diagnostics.Stopwatch.GetElapsedTime(sentAt(number)).TotalMilliseconds);
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    public Task UntilOpenAsync(int watchers, CancellationToken stopping) => UntilAsync(() => Volatile.Read(ref open) == watchers, stopping);

    public Task UntilDeliveredAsync(long events, CancellationToken stopping) => UntilAsync(() => Delivered >= events, stopping);

    public static Task UntilProbedAsync(List<double> latenciesMs, long events, CancellationToken stopping) => UntilAsync(() => latenciesMs.Count >= events, stopping);

    private static async Task UntilAsync(Func<bool> condition, CancellationToken stopping)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        bound.CancelAfter(TimeSpan.FromMinutes(2));
        while (!condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, bound.Token);
        }
    }
}
