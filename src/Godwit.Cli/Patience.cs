namespace Godwit.Cli;

/// <summary>Says what is waited for, once that takes longer than a person likes to look at nothing. On standard error: answers stay clean.</summary>
internal static class Patience
{
    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(2);

    public static async Task<T> WaitAsync<T>(CliEnvironment environment, string what, Func<Task<T>> wait)
    {
        using var over = new CancellationTokenSource();
        var saying = SayAsync(environment, what, over.Token);
        try
        {
            return await wait();
        }
        finally
        {
            await over.CancelAsync();
            await saying;
        }
    }

    private static async Task SayAsync(CliEnvironment environment, string what, CancellationToken over)
    {
        await Task.Delay(SilenceMax, environment.Clock, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!over.IsCancellationRequested)
        {
            await environment.Error.WriteLineAsync($"waiting for {what}");
        }
    }
}
