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

    public Task UntilOpenAsync(int watchers, CancellationToken stopping) => UntilAsync(() => Volatile.Read(ref open) == watchers, stopping);

    public Task UntilDeliveredAsync(long events, CancellationToken stopping) => UntilAsync(() => Delivered >= events, stopping);

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
