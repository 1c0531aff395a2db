using System.Buffers;
using System.Collections.Concurrent;

namespace Godwit.Node.Peers;

/// <summary>The rate of a link as one bounded burst saw it.</summary>
internal sealed record LinkRateSample(double BytesPerSecond, long Bytes, TimeSpan Elapsed, DateTimeOffset MeasuredAt);

/// <summary>
/// Measures how fast bytes arrive at another agent: a burst of at most <see cref="BurstBytesMax"/> or
/// <see cref="BurstTimeMax"/>, whichever ends first, through the same TLS that a guest's memory takes. The receiving end
/// leaves out the first quarter, in which the sender's window opens and a token bucket spends its savings.
/// </summary>
internal static class LinkRate
{
    public const long BurstBytesMax = 8 * 1024 * 1024;

    public static readonly TimeSpan BurstTimeMax = TimeSpan.FromMilliseconds(200);

    private const int ChunkBytes = 64 * 1024;
    private const int SendBufferBytes = 256 * 1024;

    /// <summary>How long the receiving end counts, and the sending end waits for its answer, at most.</summary>
    private static readonly TimeSpan CountTimeMax = TimeSpan.FromSeconds(2);

    public static async Task<LinkRateSample> MeasureAsync(PeerDialer dialer, PeerEndpoint endpoint, CancellationToken stopping)
    {
        var time = dialer.Services.Time;
        await using var socket = await dialer.OpenRateAsync(endpoint, stopping);
        socket.LimitSendBuffer(SendBufferBytes);
        using var late = new CancellationTokenSource(BurstTimeMax + CountTimeMax, time);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
        try
        {
            var chunk = new byte[ChunkBytes];
            var start = time.GetTimestamp();
            for (long sent = 0; sent < BurstBytesMax && time.GetElapsedTime(start) < BurstTimeMax; sent += chunk.Length)
            {
                await socket.Stream.WriteAsync(chunk, bound.Token);
                await socket.Stream.FlushAsync(bound.Token);
            }

            await socket.FinishWritingAsync(bound.Token);
            var result = await PeerFrameCodec.ReadAsync(socket.Stream, PeerJson.Default.PeerRateResult, bound.Token)
                ?? throw new PeerException($"Node {endpoint} closed the connection before it said how much had arrived.");
            return Judge(result, time.GetUtcNow()) ?? throw new PeerException($"Node {endpoint} says {result.Bytes} bytes arrived in {result.ElapsedMs} ms, which cannot be.");
        }
        catch (OperationCanceledException error) when (!stopping.IsCancellationRequested)
        {
            throw new PeerException($"The link to node {endpoint} is too slow to measure: a burst did not arrive within {CountTimeMax.TotalSeconds:F0} s.", error);
        }
        catch (IOException error)
        {
            throw new PeerException($"Measuring the link to node {endpoint} failed", error);
        }
    }

    /// <summary>The listening end: counts until the sender has finished, then answers.</summary>
    internal static async Task CountAsync(Stream stream, TimeProvider time, CancellationToken stopping)
    {
        using var late = new CancellationTokenSource(CountTimeMax, time);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            var arrivals = new List<(long Bytes, long Timestamp)>();
            long total = 0;
            while (await stream.ReadAsync(buffer.AsMemory(0, ChunkBytes), bound.Token) is > 0 and var count)
            {
                total += count;
                if (total > BurstBytesMax + ChunkBytes)
                {
                    throw new PeerException($"The peer sent more than the {BurstBytesMax} bytes that a burst may have.");
                }

                arrivals.Add((total, time.GetTimestamp()));
            }

            await PeerFrameCodec.WriteAsync(stream, Result(arrivals, time), PeerJson.Default.PeerRateResult, bound.Token);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static PeerRateResult Result(List<(long Bytes, long Timestamp)> arrivals, TimeProvider time)
    {
        if (arrivals.Count == 0)
        {
            return new PeerRateResult(0, 0);
        }

        var last = arrivals[^1];
        var first = arrivals.Find(arrival => arrival.Bytes >= last.Bytes / 4);
        return new PeerRateResult(last.Bytes - first.Bytes, time.GetElapsedTime(first.Timestamp, last.Timestamp).TotalMilliseconds);
    }

    private static LinkRateSample? Judge(PeerRateResult result, DateTimeOffset now) =>
        result is { Bytes: > 0 and <= BurstBytesMax, ElapsedMs: > 0 } && result.ElapsedMs <= (BurstTimeMax + CountTimeMax).TotalMilliseconds
            ? new LinkRateSample(result.Bytes / result.ElapsedMs * 1000, result.Bytes, TimeSpan.FromMilliseconds(result.ElapsedMs), now)
            : null;
}

/// <summary>Link rates to other nodes, measured when asked for and kept for a while; one measurement at a time.</summary>
internal sealed class LinkRates(PeerDialer dialer) : IDisposable
{
    public static readonly TimeSpan AgeMax = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<NodeName, LinkRateSample> samples = new();
    private readonly SemaphoreSlim measuring = new(1);

    public async Task<LinkRateSample> GetAsync(PeerEndpoint endpoint, CancellationToken stopping)
    {
        if (Fresh(endpoint) is { } known)
        {
            return known;
        }

        await measuring.WaitAsync(stopping);
        try
        {
            return Fresh(endpoint) ?? (samples[endpoint.Node] = await LinkRate.MeasureAsync(dialer, endpoint, stopping));
        }
        finally
        {
            measuring.Release();
        }
    }

    public void Dispose() => measuring.Dispose();

    private LinkRateSample? Fresh(PeerEndpoint endpoint) =>
        samples.TryGetValue(endpoint.Node, out var sample) && dialer.Services.Time.GetUtcNow() - sample.MeasuredAt < AgeMax ? sample : null;
}
