using Godwit.Linux.Networking;

namespace Godwit.Networks.Containers;

/// <summary>
/// Keeps the packet filter as it should be. Whoever changed something asks for an application and waits until one that began after that is done; those who ask at the same time
/// wait for the same one. An unchanged ruleset is not applied again.
/// </summary>
internal sealed class RuleKeeper(TimeProvider time) : IAsyncDisposable
{
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly Lock asking = new();
    private Task? waiting;
    private string applied = "";

    internal Task ApplyAsync(Func<string> build, CancellationToken stopping)
    {
        lock (asking)
        {
            // One that waits for its turn has not looked yet: it will see what we changed.
            waiting ??= Task.Run(() => ApplyNextAsync(build), CancellationToken.None);
            return waiting.WaitAsync(stopping);
        }
    }

    public ValueTask DisposeAsync()
    {
        gate.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task ApplyNextAsync(Func<string> build)
    {
        await gate.WaitAsync();
        try
        {
            lock (asking)
            {
                waiting = null;
            }

            var wanted = build();
            if (wanted != applied)
            {
                await Nftables.ApplyAsync(wanted, NetworkNamespace.Own, time, CancellationToken.None);
                applied = wanted;
            }
        }
        finally
        {
            gate.Release();
        }
    }
}
