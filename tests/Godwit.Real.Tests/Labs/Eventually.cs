using System.Diagnostics;
using Godwit.Client;

namespace Godwit.Real.Tests.Labs;

/// <summary>Waits for a condition, never for a time: the bound only says when to give up, and what was last seen is then told.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    public static async Task<T> GetAsync<T>(string what, TimeSpan bound, Func<Task<T?>> look, TimeSpan? interval = null)
        where T : class
    {
        var watch = Stopwatch.StartNew();
        var last = "nothing";
        using var timer = new PeriodicTimer(interval ?? Look);
        while (watch.Elapsed < bound)
        {
            try
            {
                if (await look() is { } found)
                {
                    return found;
                }
            }
            catch (Exception error) when (error is IOException or HttpRequestException or TaskCanceledException or ApiException or ClusterUnreachableException)
            {
                last = error.Message;
            }

            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }

        Assert.Fail($"Within {bound} this did not happen: {what}. Last error: {last}.");
        throw new InvalidOperationException("unreachable");
    }

    public static async Task IsTrueAsync(string what, TimeSpan bound, Func<Task<bool>> look, TimeSpan? interval = null) =>
        await GetAsync(what, bound, async () => await look() ? "yes" : null, interval);
}
