using System.Globalization;

namespace Godwit.Cli.Comparisons;

/// <summary>The one client that asks all of them.</summary>
internal sealed class ServiceClient(TimeProvider clock) : IDisposable
{
    /// <summary>More clients than most hosts have processors for one service.</summary>
    private const int Clients = 4;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan AnswerBound = TimeSpan.FromSeconds(5);

    private readonly HttpClient http = new() { Timeout = AnswerBound };

    /// <summary>Returns with the first answer.</summary>
    /// <exception cref="CliException">None came within the bound.</exception>
    public async Task UntilAnsweredAsync(IServiceUnderTest service, Uri address, TimeSpan bound, CancellationToken stopping)
    {
        var started = clock.GetTimestamp();
        using var look = new PeriodicTimer(Look, clock);
        while (!await IsAnsweredAsync(address, stopping))
        {
            if (clock.GetElapsedTime(started) > bound)
            {
                throw new CliException($"The service as {service.Name} was started, but {address} does not answer within {bound.TotalSeconds:0} s", ExitCodes.TimedOut);
            }

            await look.WaitForNextTickAsync(stopping);
        }
    }

    /// <summary>Answers in a second, over this time.</summary>
    public async Task<double> LoadAsync(Uri address, TimeSpan duration, CancellationToken stopping)
    {
        var started = clock.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => Task.Run(() => AskOverAndOverAsync(address, started, duration, stopping), stopping)));
        return counts.Sum() / clock.GetElapsedTime(started).TotalSeconds;
    }

    public void Dispose() => http.Dispose();

    private async Task<bool> IsAnsweredAsync(Uri address, CancellationToken stopping)
    {
        try
        {
            using var answer = await http.GetAsync(address, stopping);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException && !stopping.IsCancellationRequested)
        {
            return false; // It boots, or does not listen yet.
        }
    }

    private async Task<int> AskOverAndOverAsync(Uri address, long started, TimeSpan duration, CancellationToken stopping)
    {
        var count = 0;
        while (clock.GetElapsedTime(started) < duration)
        {
            try
            {
                using var answer = await http.GetAsync(address, stopping);
                answer.EnsureSuccessStatusCode();
                count++;
            }
            catch (HttpRequestException lost)
            {
                throw new CliException(string.Create(CultureInfo.InvariantCulture, $"{address} stopped answering after {count} requests of one client"), ExitCodes.Failed, lost);
            }
        }

        return count;
    }
}
