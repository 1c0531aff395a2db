namespace Godwit.Store.Tests.Etcd;

/// <summary>Waits for a condition that nobody announces.</summary>
internal static class Until
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    public static async Task HoldsAsync(Func<bool> condition, CancellationToken bound)
    {
        using var timer = new PeriodicTimer(Look);
        while (!condition())
        {
            await timer.WaitForNextTickAsync(bound);
        }
    }
}
