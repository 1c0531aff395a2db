using Godwit.Linux;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Godwit.Qmp;

namespace Godwit.Machines;

/// <summary>
/// The way in when the front door is stuck. A post-copy target whose stream broke often waits for a page with QEMU's main
/// lock held; its main loop, which would have to greet a new agent on the monitor's socket, then hangs until somebody
/// recovers the stream, which takes an out-of-band command. So every QEMU gets a second monitor on two FIFOs, which know
/// no clients: out-of-band was chosen there once, at the start, and any agent may use it at any time.
/// <code>
///   agent ──▶ rescue.in  ──▶ QEMU's monitor thread
///         ◀── rescue.out ◀──      (events too: emptied now and then, so that they do not pile up in QEMU)
/// </code>
/// </summary>
internal sealed class RescueMonitor(MachineFiles files, TimeProvider clock) : IDisposable
{
    private readonly SemaphoreSlim turn = new(1);

    private string InputPath => files.Rescue + ".in";

    private string OutputPath => files.Rescue + ".out";

    /// <summary>Makes the FIFOs, before QEMU starts.</summary>
    public void Make(ProcessUser owner)
    {
        NamedPipe.Make(InputPath, owner);
        NamedPipe.Make(OutputPath, owner);
    }

    /// <summary>Makes it ready for the day it is needed; while the main loop answers.</summary>
    public Task PrepareAsync(CancellationToken stopping) => InTurnAsync(stream => PrepareAsync(stream, stopping), stopping);

    /// <summary>An out-of-band command.</summary>
    public Task<TReply> ExecuteAsync<TReply>(QmpCommand<TReply> command, CancellationToken stopping) =>
        InTurnAsync(stream => QmpExchange.ExecuteAsync(stream, command, clock, stopping), stopping);

    /// <summary>Throws away what nobody waits for. Does nothing while somebody does.</summary>
    public void Drain()
    {
        if (!turn.Wait(0, CancellationToken.None))
        {
            return;
        }

        try
        {
            using var output = NamedPipe.Open(OutputPath);
            var buffer = new byte[64 << 10];
            for (var reads = 0; reads < 64 && output.TryRead(buffer) > 0; reads++)
            {
                // A bounded number: a QEMU gone bad may write without end.
            }
        }
        catch (LinuxException)
        {
            // QEMU's folder is QEMU's: it may have broken its own way in. There is nothing to empty then.
        }
        finally
        {
            turn.Release();
        }
    }

    public void Dispose() => turn.Dispose();

    private async Task<bool> PrepareAsync(Stream stream, CancellationToken stopping)
    {
        await QmpExchange.PrepareAsync(stream, clock, stopping);
        return true;
    }

    private async Task<T> InTurnAsync<T>(Func<Stream, Task<T>> exchange, CancellationToken stopping)
    {
        await turn.WaitAsync(stopping);
        try
        {
            await using var stream = new PipePairStream(NamedPipe.Open(OutputPath), NamedPipe.Open(InputPath), clock);
            return await exchange(stream);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Two FIFOs as one stream. Looks for what is there, often: it lives for one exchange.</summary>
    private sealed class PipePairStream(NamedPipe input, NamedPipe output, TimeProvider clock) : Stream
    {
        private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2);

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
            while (true)
            {
                if (Checked(() => input.TryRead(buffer.Span)) is > 0 and var read)
                {
                    return read;
                }

                await Task.Delay(Look, clock, cancellationToken);
            }
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Checked(() =>
            {
                output.Write(buffer.Span);
                return 0;
            });
            return ValueTask.CompletedTask;
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read it asynchronously.");

        public override void Write(byte[] buffer, int offset, int count) => output.Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                input.Dispose();
                output.Dispose();
            }

            base.Dispose(disposing);
        }

        private static int Checked(Func<int> call)
        {
            try
            {
                return call();
            }
            catch (LinuxException error)
            {
                throw new IOException("the FIFO cannot be used", error);
            }
        }
    }
}
