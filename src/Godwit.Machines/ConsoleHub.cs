using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Godwit.Machines;

/// <summary>
/// The serial console for many at once, though QEMU's socket takes one client. Connected to QEMU only while somebody is
/// attached; the log that QEMU keeps itself goes on without us.
/// <code>
///   QEMU ═socket═▶ pump ──copy──▶ reader's queue ──▶ reader      (a slow reader loses its oldest, never holds up the guest)
///        ◀═socket═ one write at a time ◀── any reader
/// </code>
/// </summary>
internal sealed partial class ConsoleHub(string socketPath, int processId, ILogger log) : IAsyncDisposable
{
    private const int ReadersMax = 32;
    private const int ChunkBytes = 4096;

    private readonly SemaphoreSlim gate = new(1);
    private readonly SemaphoreSlim writing = new(1);
    private readonly List<ConsoleStream> readers = [];
    private NetworkStream? connection;
    private Task pumping = Task.CompletedTask;

    public async Task<Stream> AttachAsync(CancellationToken stopping)
    {
        await gate.WaitAsync(stopping);
        try
        {
            if (readers.Count >= ReadersMax)
            {
                throw new MachineException($"{ReadersMax} readers are attached to this console, which is its bound; close one.");
            }

            if (connection is null)
            {
                connection = await QemuSocket.ConnectAsync(socketPath, processId, stopping);
                pumping = Task.Run(() => PumpAsync(connection), CancellationToken.None);
            }

            var reader = new ConsoleStream(this);
            readers.Add(reader);
            return reader;
        }
        catch (SocketException error)
        {
            throw new MachineException($"cannot reach the console of QEMU (process {processId})", error);
        }
        finally
        {
            gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await gate.WaitAsync(CancellationToken.None);
        try
        {
            Disconnect_NeedsGate();
        }
        finally
        {
            gate.Release();
        }

        await pumping;
    }

    internal async Task DetachAsync(ConsoleStream reader)
    {
        await gate.WaitAsync(CancellationToken.None);
        try
        {
            if (readers.Remove(reader) && readers.Count == 0)
            {
                Disconnect_NeedsGate();
            }
        }
        finally
        {
            gate.Release();
        }
    }

    internal async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken stopping)
    {
        await writing.WaitAsync(stopping);
        try
        {
            var to = connection ?? throw new IOException("The console has been closed: its QEMU has ended.");
            await to.WriteAsync(bytes, stopping);
        }
        catch (ObjectDisposedException closed)
        {
            throw new IOException("The console has been closed.", closed);
        }
        finally
        {
            writing.Release();
        }
    }

    private void Disconnect_NeedsGate()
    {
        connection?.Dispose();
        connection = null;
        foreach (var reader in readers)
        {
            reader.End();
        }

        readers.Clear();
    }

    private async Task PumpAsync(NetworkStream from)
    {
        try
        {
            var buffer = new byte[ChunkBytes];
            int read;
            while ((read = await from.ReadAsync(buffer, CancellationToken.None)) > 0)
            {
                var chunk = buffer.AsSpan(0, read).ToArray();
                await gate.WaitAsync(CancellationToken.None);
                readers.ForEach(reader => reader.Offer(chunk));
                gate.Release();
            }
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            Log.Ended(log, processId, error.Message);
        }

        await gate.WaitAsync(CancellationToken.None);
        if (ReferenceEquals(connection, from))
        {
            Disconnect_NeedsGate();
        }

        gate.Release();
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Debug, "The console of process {ProcessId} ended: {Reason}")]
        public static partial void Ended(ILogger log, int processId, string reason);
    }
}

/// <summary>One reader of a console. Reading gives what the guest writes from now on; writing is typing.</summary>
internal sealed class ConsoleStream(ConsoleHub hub) : Stream
{
    private const int ChunksMax = 256;

    private readonly Channel<byte[]> chunks = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(ChunksMax) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
    private ReadOnlyMemory<byte> rest;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (rest.IsEmpty)
        {
            if (!await chunks.Reader.WaitToReadAsync(cancellationToken))
            {
                return 0;
            }

            if (chunks.Reader.TryRead(out var chunk))
            {
                rest = chunk;
            }
        }

        var count = Math.Min(rest.Length, buffer.Length);
        rest[..count].CopyTo(buffer);
        rest = rest[count..];
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => hub.WriteAsync(buffer, cancellationToken);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read it asynchronously.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Write it asynchronously.");

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        End();
        await hub.DetachAsync(this);
        await base.DisposeAsync();
    }

    internal void Offer(byte[] chunk) => chunks.Writer.TryWrite(chunk);

    internal void End() => chunks.Writer.TryComplete();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            End();
            _ = hub.DetachAsync(this);
        }

        base.Dispose(disposing);
    }
}
