using System.Buffers;
using System.Net.Sockets;

namespace Godwit.Node.Peers;

/// <summary>
/// Bytes that passed through all channels of one stream, and when the last of them did. A stream that is silent is for
/// the migration engine to judge, never for the transport.
/// </summary>
internal sealed class StreamCounters(TimeProvider time)
{
    private long toPeerBytes;
    private long fromPeerBytes;
    private long lastProgressTimestamp = time.GetTimestamp();

    public long ToPeerBytes => Volatile.Read(ref toPeerBytes);

    public long FromPeerBytes => Volatile.Read(ref fromPeerBytes);

    /// <summary>How long nothing has passed in either direction.</summary>
    public TimeSpan Silence => time.GetElapsedTime(Volatile.Read(ref lastProgressTimestamp));

    internal void AddToPeer(int bytes) => Add(ref toPeerBytes, bytes);

    internal void AddFromPeer(int bytes) => Add(ref fromPeerBytes, bytes);

    private void Add(ref long counter, int bytes)
    {
        Interlocked.Add(ref counter, bytes);
        Volatile.Write(ref lastProgressTimestamp, time.GetTimestamp());
    }
}

/// <summary>
/// One channel of a migration: QEMU's unix socket on one side, TLS on the other. Each direction reads only after it has
/// written, so a slow end slows the other, and memory is two buffers whatever the guest's size.
/// </summary>
internal static class StreamRelay
{
    private const int BufferBytes = 256 * 1024;

    /// <summary>
    /// Runs until both directions have ended. The end of one (half-close) is passed on and the other runs on; any error,
    /// or <paramref name="stopping"/>, breaks both sides at once.
    /// </summary>
    public static async Task RunAsync(PeerSocket remote, Socket local, StreamCounters counters, CancellationToken stopping)
    {
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var abortion = broken.Token.UnsafeRegister(
            static state =>
            {
                var (remote, local) = ((PeerSocket, Socket))state!;
                remote.Abort();
                local.Dispose();
            },
            (remote, local));

        var outward = PumpOutwardAsync(local, remote, counters, broken);
        var inward = PumpInwardAsync(remote, local, counters, broken);
        await Task.WhenAll(outward, inward);
    }

    private static async Task PumpOutwardAsync(Socket local, PeerSocket remote, StreamCounters counters, CancellationTokenSource broken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (await local.ReceiveAsync(buffer.AsMemory(0, BufferBytes), broken.Token) is > 0 and var count)
            {
                await remote.Stream.WriteAsync(buffer.AsMemory(0, count), broken.Token);
                await remote.Stream.FlushAsync(broken.Token);
                counters.AddToPeer(count);
            }

            await remote.FinishWritingAsync(broken.Token);
        }
        catch
        {
            await broken.CancelAsync();
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task PumpInwardAsync(PeerSocket remote, Socket local, StreamCounters counters, CancellationTokenSource broken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (await remote.Stream.ReadAsync(buffer.AsMemory(0, BufferBytes), broken.Token) is > 0 and var count)
            {
                var rest = buffer.AsMemory(0, count);
                while (rest.Length > 0)
                {
                    rest = rest[await local.SendAsync(rest, SocketFlags.None, broken.Token)..];
                }

                counters.AddFromPeer(count);
            }

            local.Shutdown(SocketShutdown.Send);
        }
        catch
        {
            await broken.CancelAsync();
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
