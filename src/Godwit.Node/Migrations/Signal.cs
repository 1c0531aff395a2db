using System.Threading.Channels;

namespace Godwit.Node.Migrations;

/// <summary>Wakes one waiter; set twice before it wakes is set once.</summary>
internal sealed class Signal(TimeProvider time)
{
    private readonly Channel<bool> set = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    public void Set() => set.Writer.TryWrite(true);

    public async Task WaitAsync(CancellationToken stopping) => await set.Reader.ReadAsync(stopping);

    /// <summary>Returns when set, or when the time is over.</summary>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken stopping)
    {
        using var due = new CancellationTokenSource(atMost, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, due.Token);
        try
        {
            await set.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
        }
    }
}
