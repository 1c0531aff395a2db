using System.Buffers;
using System.Net.Sockets;
using Godwit.Linux.Networking;

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
/// <para>Each direction has a thread that waits in the kernel. At a link's full rate the threads of a pool, each woken by
/// another that waits on epoll, cost as much of the processors as encryption and copying together; the guest that moves
/// needs them.</para>
/// </summary>
internal static class StreamRelay
{
    private const int BufferBytes = 256 * 1024;

    /// <summary>What is read together before it is passed on; more would let QEMU wait for it.</summary>
    private const int InwardBytes = 128 * 1024;

    /// <summary>
    /// Runs until both directions have ended. The end of one (half-close) is passed on and the other runs on; any error,
    /// or <paramref name="stopping"/>, breaks both sides at once.
    /// </summary>
    public static async Task RunAsync(PeerSocket remote, Socket local, StreamCounters counters, CancellationToken stopping)
    {
        remote.BlockFromHere();
        BlockingMode.Restore(local);
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var abortion = broken.Token.UnsafeRegister(
            static state =>
            {
                var (remote, local) = ((PeerSocket, Socket))state!;
                remote.Abort();
                local.Dispose();
            },
            (remote, local));

        await Task.WhenAll(
            DirectionAsync(() => PumpOutward(local, remote, counters), () => remote.FinishWritingAsync(broken.Token), broken),
            DirectionAsync(() => PumpInward(remote, bytes => Send(local, bytes), counters), () => FinishAsync(local), broken));
    }

    /// <summary>
    /// As <see cref="RunAsync"/>, of a channel whose QEMU does not listen yet: what comes before <paramref name="opening"/> is
    /// done is kept, and passed on first; <paramref name="caughtUp"/> is called when that is done.
    /// </summary>
    public static async Task RunEarlyAsync(PeerSocket remote, Task<Socket> opening, EarlyRoom room, Action caughtUp, StreamCounters counters, CancellationToken stopping)
    {
        remote.BlockFromHere();
        using var early = new EarlyBytes(room);
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var abortion = broken.Token.UnsafeRegister(
            static state =>
            {
                var (remote, early) = ((PeerSocket, EarlyBytes))state!;
                remote.Abort();
                early.Dispose();
            },
            (remote, early));
        var passed = new TaskCompletionSource<Socket>(TaskCreationOptions.RunContinuationsAsynchronously);

        await Task.WhenAll(
            DirectionAsync(
                () => PumpInward(remote, bytes => KeepOrSend(bytes), counters),
                async () => (await passed.Task.WaitAsync(broken.Token)).Shutdown(SocketShutdown.Send),
                broken),
            OpenAsync());

        void KeepOrSend(ReadOnlySpan<byte> bytes)
        {
            if (!early.TryKeep(bytes))
            {
                Send(opening.Result, bytes); // Nothing is passed on before it is open.
            }
        }

        Task CaughtUpAsync(Socket local)
        {
            passed.TrySetResult(local);
            caughtUp();
            return Task.CompletedTask;
        }

        async Task OpenAsync()
        {
            try
            {
                var local = await opening.WaitAsync(broken.Token);
                BlockingMode.Restore(local);
                broken.Token.UnsafeRegister(static state => ((Socket)state!).Dispose(), local);
                await Task.WhenAll(
                    DirectionAsync(() => PassOn(early, local), () => CaughtUpAsync(local), broken),
                    DirectionAsync(() => PumpOutward(local, remote, counters), () => remote.FinishWritingAsync(broken.Token), broken));
            }
            catch
            {
                await broken.CancelAsync();
                throw;
            }
        }
    }

    private static async Task DirectionAsync(Action pump, Func<Task> finish, CancellationTokenSource broken)
    {
        try
        {
            await Task.Factory.StartNew(pump, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            await finish();
        }
        catch
        {
            await broken.CancelAsync();
            throw;
        }
    }

    private static void PumpOutward(Socket local, PeerSocket remote, StreamCounters counters)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (local.Receive(buffer.AsSpan(0, BufferBytes)) is > 0 and var count)
            {
                remote.Stream.Write(buffer.AsSpan(0, count));
                remote.Stream.Flush();
                counters.AddToPeer(count);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>TLS gives one record at a time; what has come together is passed on together.</summary>
    private static void PumpInward(PeerSocket remote, Action<ReadOnlySpan<byte>> deliver, StreamCounters counters)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(InwardBytes);
        try
        {
            var filled = 0;
            while (remote.Stream.Read(buffer.AsSpan(filled, InwardBytes - filled)) is > 0 and var count)
            {
                filled += count;
                if (filled == InwardBytes || !remote.HoldsMore)
                {
                    deliver(buffer.AsSpan(0, filled));
                    counters.AddFromPeer(filled);
                    filled = 0;
                }
            }

            if (filled > 0)
            {
                deliver(buffer.AsSpan(0, filled));
                counters.AddFromPeer(filled);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void PassOn(EarlyBytes early, Socket local)
    {
        while (early.Take() is { } kept)
        {
            try
            {
                Send(local, kept);
            }
            finally
            {
                early.Return(kept);
            }
        }
    }

    private static void Send(Socket local, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[local.Send(bytes)..];
        }
    }

    private static Task FinishAsync(Socket local)
    {
        local.Shutdown(SocketShutdown.Send);
        return Task.CompletedTask;
    }
}
