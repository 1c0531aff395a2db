using Godwit.Linux.Files;
using Godwit.Qmp;
using Microsoft.Extensions.Logging;

namespace Godwit.Machines;

/// <summary>
/// What a guest said on its serial port, bounded whether or not an agent lives:
/// <code>
///   guest ──▶ QEMU's hub ──▶ console.sock           (who is attached)
///                        └─▶ ring, 1 MiB, in QEMU ══DrainAsync══▶ console.log ──cut──▶ console.log.1
/// </code>
/// The ring is the one hand-over between QEMU and agents: what is taken out of it is in the file, what is not waits there for this
/// agent or the next, so nothing is written twice. A guest that says more than a ring between two looks loses the oldest of it.
/// </summary>
internal sealed partial class ConsoleLog(MachineFiles files, Monitor? monitor, MachineContext context) : IAsyncDisposable
{
    /// <summary>The ring's name in QEMU.</summary>
    public const string Device = "log";

    /// <summary>The ring's size; a power of two, as QEMU demands.</summary>
    public const int WaitingBytesMax = 1 << 20;

    private const int PieceBytes = 256 << 10;
    private const int PiecesMax = 2 * WaitingBytesMax / PieceBytes; // In one go, whatever the guest adds meanwhile.
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim turn = new(1);
    private byte[] unwritten = [];
    private bool isTroubled;

    /// <summary>
    /// Moves what waits in the ring to the file. What the disk has no room for is kept for the next time, and the ring left alone
    /// until then. Trouble is logged once, until it is over: a machine without a log goes on.
    /// </summary>
    public async Task DrainAsync(CancellationToken stopping)
    {
        if (monitor?.Connection is null)
        {
            return; // Ended, or being reconnected: the ring keeps it.
        }

        await turn.WaitAsync(stopping);
        try
        {
            for (var pieces = 0; pieces < PiecesMax; pieces++)
            {
                unwritten = unwritten.Length > 0 ? unwritten : await TakeAsync();
                if (unwritten.Length == 0)
                {
                    break;
                }

                Append(unwritten);
                unwritten = [];
                LogKeeper.Bound(files.ConsoleLog, files.OlderConsoleLog, context.Options.LogBytesMax, context);
            }

            isTroubled = false;
        }
        catch (Exception error) when (error is MachineException or IOException or UnauthorizedAccessException)
        {
            if (!isTroubled)
            {
                Log.NotKept(context.Log, files.ConsoleLog, error);
            }

            isTroubled = true;
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Waits for what is being written.</summary>
    public async ValueTask DisposeAsync()
    {
        await turn.WaitAsync(CancellationToken.None);
        turn.Release();
    }

    /// <summary>Empty when nothing waits. Not to be cancelled: what has left the ring is nowhere else.</summary>
    private async Task<byte[]> TakeAsync()
    {
        var piece = await monitor!.TellAsync("read the console log of", QmpCommands.ReadRingBuffer(Device, PieceBytes) with { Bound = Bound }, CancellationToken.None);
        try
        {
            return Convert.FromBase64String(piece);
        }
        catch (FormatException error)
        {
            throw new MachineException("QEMU's console log is not in the form that was asked for", error);
        }
    }

    private void Append(byte[] bytes)
    {
        using var file = new FileStream(files.ConsoleLog, new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.ReadWrite, UnixCreateMode = DurableFile.Private, BufferSize = 0 });
        var length = file.Length;
        try
        {
            file.Write(bytes);
        }
        catch (IOException)
        {
            file.SetLength(length); // Whole or not at all: it is tried again.
            throw;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "What the guest says cannot be written to {Path} now; the newest of it waits in QEMU")]
        public static partial void NotKept(ILogger log, string path, Exception error);
    }
}
