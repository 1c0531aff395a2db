using System.Net.Sockets;
using Godwit.Linux;
using Godwit.Linux.Processes;
using Godwit.Qmp;
using Microsoft.Extensions.Logging;

namespace Godwit.Machines;

/// <summary>A machine's monitor: the QMP session of the moment, and how to get the next one.</summary>
internal sealed class Monitor(string displayName, string socketPath, LinuxProcess process, TimeProvider clock, ILogger log) : IAsyncDisposable
{
    // QEMU opens its socket 20 to 200 ms after its start, and a move waits for that: pauses that grew from the first would miss it by tens of them.
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan StartsWithin = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);
    private const double PauseGrowth = 1.25;
    private static readonly TimeSpan HandshakeBound = TimeSpan.FromSeconds(10);

    private volatile QmpConnection? connection;

    /// <summary>Carries out-of-band commands while there is no session; null: there is none.</summary>
    public RescueMonitor? Rescue { get; init; }

    public bool HasProcess => !process.Exited.IsCompleted;

    /// <summary>The session that lives, or null.</summary>
    public QmpConnection? Connection => connection is { Completion.IsCompleted: false } living ? living : null;

    /// <summary>
    /// Connects as soon as QEMU listens. QEMU's socket takes one client at a time, so this also waits for the last one,
    /// perhaps a dying agent's, to be gone.
    /// </summary>
    /// <exception cref="MachineException">The process ended, or the bound passed; the cause says which.</exception>
    public async Task<QmpConnection> ConnectAsync(TimeSpan bound, CancellationToken stopping)
    {
        var started = clock.GetTimestamp();
        var pause = FirstPause;
        while (true)
        {
            try
            {
                var stream = await QemuSocket.ConnectAsync(socketPath, process.Identity.ProcessId, stopping);
                var last = connection;
                connection = await QmpConnection.OpenAsync(stream, new QmpOptions { HandshakeBound = bound < HandshakeBound ? bound : HandshakeBound }, clock, log, stopping);
                if (last is not null)
                {
                    await last.DisposeAsync();
                }

                return connection;
            }
            catch (Exception error) when (error is SocketException or QmpException)
            {
                if (!HasProcess)
                {
                    throw new MachineException($"QEMU of {displayName} ended before its monitor answered", error);
                }

                if (clock.GetElapsedTime(started) > bound)
                {
                    throw new MachineException($"the monitor of {displayName} (process {process.Identity.ProcessId}) did not answer within {bound.TotalSeconds:0} s", error);
                }
            }

            await Task.WhenAny(Task.Delay(pause, clock, stopping), process.Exited);
            stopping.ThrowIfCancellationRequested();
            if (clock.GetElapsedTime(started) > StartsWithin)
            {
                pause = pause * PauseGrowth < LongestPause ? pause * PauseGrowth : LongestPause;
            }
        }
    }

    /// <summary>One command, with errors that say what for.</summary>
    /// <param name="purpose">As the end of a sentence that begins with "cannot".</param>
    /// <param name="command">What to say to QEMU.</param>
    /// <param name="stopping">Gives up waiting; QEMU may still carry it out.</param>
    public async Task<TReply> TellAsync<TReply>(string purpose, QmpCommand<TReply> command, CancellationToken stopping)
    {
        try
        {
            return Connection is { } living ? await living.ExecuteAsync(command, stopping)
                : command.OutOfBand && Rescue is { } rescue && HasProcess ? await rescue.ExecuteAsync(command, stopping)
                : throw new MachineException($"cannot {purpose} {displayName}: {(HasProcess ? "its QEMU does not answer; it is being reconnected" : "its QEMU has ended")}.");
        }
        catch (Exception error) when (error is QmpException or LinuxException)
        {
            throw new MachineException($"cannot {purpose} {displayName}", error);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (connection is { } last)
        {
            await last.DisposeAsync();
        }
    }
}
