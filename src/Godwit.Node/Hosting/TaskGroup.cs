namespace Godwit.Node.Hosting;

/// <summary>Runs long tasks side by side: when one fails, or ends although nobody asked, all are stopped, and the failure is the group's.</summary>
internal static class TaskGroup
{
    public static async Task RunAsync(CancellationToken stopping, params IReadOnlyList<(string Name, Func<CancellationToken, Task> Run)> parts)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var tasks = parts.ToDictionary(part => Task.Run(() => part.Run(ending.Token), CancellationToken.None), part => part.Name);
        var first = await Task.WhenAny(tasks.Keys);
        var isAsked = stopping.IsCancellationRequested;
        await ending.CancelAsync();
        await Task.WhenAll(tasks.Keys).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (first.IsFaulted)
        {
            throw new InvalidOperationException($"The agent's part '{tasks[first]}' failed", first.Exception!.InnerException);
        }

        if (!isAsked)
        {
            throw new InvalidOperationException($"The agent's part '{tasks[first]}' ended by itself.");
        }
    }
}
