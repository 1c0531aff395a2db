namespace Godwit.Networks.Tests;

/// <summary>Waits for conditions, never for time; the bound is generous because hosts of tests are slow.</summary>
internal static class Wait
{
    internal static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    internal static async Task ForAsync(Func<bool> condition, string what)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Bound, $"not within {Bound}: {what}");
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }
}
