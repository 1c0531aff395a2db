using System.Text.Json;

namespace Godwit.App.Demos;

/// <summary>A client of what the `tiny` guest serves on port 80.</summary>
internal sealed class GuestClient(string address) : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan AnswerBound = TimeSpan.FromSeconds(60);
    private readonly HttpClient http = new() { BaseAddress = new Uri($"http://{address}/"), Timeout = TimeSpan.FromSeconds(20) };

    public async Task<long> CounterAsync(CancellationToken stopping)
    {
        using var answer = await ReadAsync("counter", stopping);
        return answer.RootElement.GetProperty("counter").GetInt64();
    }

    public async Task<bool> IsMemoryIntactAsync(CancellationToken stopping)
    {
        using var answer = await ReadAsync("memory", stopping);
        return answer.RootElement.GetProperty("intact").GetBoolean();
    }

    /// <summary>The counter, as soon as it is above <paramref name="floor"/>; null when that does not happen in time.</summary>
    public async Task<long?> WaitForCounterAboveAsync(long floor, TimeProvider time, CancellationToken stopping)
    {
        var deadline = time.GetUtcNow() + AnswerBound;
        while (time.GetUtcNow() < deadline)
        {
            try
            {
                if (await CounterAsync(stopping) is var counter && counter > floor)
                {
                    return counter;
                }
            }
            catch (Exception error) when (error is HttpRequestException or TaskCanceledException && !stopping.IsCancellationRequested)
            {
                // Not there yet: it boots, or moves.
            }

            await Task.Delay(Look, time, stopping);
        }

        return null;
    }

    public void Dispose() => http.Dispose();

    private async Task<JsonDocument> ReadAsync(string path, CancellationToken stopping)
    {
        await using var body = await http.GetStreamAsync(new Uri(path, UriKind.Relative), stopping);
        return await JsonDocument.ParseAsync(body, cancellationToken: stopping);
    }
}
