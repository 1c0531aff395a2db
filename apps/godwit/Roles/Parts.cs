namespace Godwit.App.Roles;

/// <summary>Parts of one process that live and die together: whoever started the process starts it again, whole.</summary>
internal static class Parts
{
    /// <summary>Runs them until they are asked to end, or one ends; its error is thrown.</summary>
    public static async Task RunAsync(IReadOnlyList<Func<CancellationToken, Task>> parts, CancellationToken stopping)
    {
        using var all = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var running = parts.Select(part => part(all.Token)).ToList();
        await Task.WhenAny(running);
        await all.CancelAsync();
        try
        {
            await Task.WhenAll(running);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Asked to end.
        }
    }
}
