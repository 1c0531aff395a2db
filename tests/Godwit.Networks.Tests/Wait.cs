namespace Godwit.Networks.Tests;

/// <summary>Waits for conditions, never for time; the bound is generous because hosts of tests are slow.</summary>
internal static class Wait
{
    internal static readonly TimeSpan Bound = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2);

    internal static Task ForAsync(Func<bool> condition, string what) => ForAsync(() => Task.FromResult(condition()), what);

    internal static async Task ForAsync(Func<Task<bool>> condition, string what)
    {
        using var look = new PeriodicTimer(Look, TimeProvider.System);
        var start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Bound, $"not within {Bound}: {what}");
            await look.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
    }
}
