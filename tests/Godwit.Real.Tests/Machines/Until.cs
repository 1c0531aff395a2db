namespace Godwit.Real.Tests.Machines;

/// <summary>Waits for a condition, looking often; the bound is generous, because cores are shared and fresh memory may be slow to come.</summary>
internal static class Until
{
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    public static Task TrueAsync(Func<bool> condition, string what) => TrueAsync(() => Task.FromResult(condition()), what);

    public static async Task TrueAsync(Func<Task<bool>> condition, string what)
    {
        var stopping = TestContext.Current.CancellationToken;
        var started = TimeProvider.System.GetTimestamp();
        using var timer = new PeriodicTimer(Look, TimeProvider.System);
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Patience, $"not within {Patience}: {what}");
            await timer.WaitForNextTickAsync(stopping);
        }
    }
}
