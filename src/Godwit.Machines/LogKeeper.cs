using Godwit.Linux;
using Godwit.Linux.Files;
using Microsoft.Extensions.Logging;

namespace Godwit.Machines;

/// <summary>
/// Keeps a machine's logs within bounds while an agent lives. Who writes or follows a log never reopens it (QEMU's own words go to one), so
/// a log that has grown too large is copied aside and cut to nothing; what QEMU itself says in between is lost.
/// </summary>
internal static partial class LogKeeper
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    /// <summary>Keeps what grows by itself within its bounds: the logs, and what waits on the rescue monitor.</summary>
    public static async Task KeepUpAsync(MachineFiles files, ConsoleLog consoleLog, RescueMonitor rescue, MachineContext context, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(Period, context.Clock);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            await consoleLog.DrainAsync(stopping);
            Bound(files.QemuLog, files.OlderQemuLog, Math.Min(QemuLogPlace.LogBytesMax, context.Options.LogBytesMax), context);
            rescue.Drain();
        }
    }

    /// <summary>Cuts the log if it is longer than its bound; its end, up to the bound, becomes the older log.</summary>
    internal static void Bound(string path, string olderPath, long bytesMax, MachineContext context)
    {
        try
        {
            using var log = GuardedFile.TryOpenWrite(path);
            if (log is null || RandomAccess.GetLength(log) <= bytesMax)
            {
                return;
            }

            var keep = new byte[bytesMax];
            var read = RandomAccess.Read(log, keep, RandomAccess.GetLength(log) - keep.Length);
            var temporary = olderPath + ".new";
            File.WriteAllBytes(temporary, keep.AsSpan(0, read));
            File.SetUnixFileMode(temporary, DurableFile.Private);
            File.Move(temporary, olderPath, overwrite: true);
            RandomAccess.SetLength(log, 0);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or LinuxException)
        {
            Log.NotBounded(context.Log, path, error);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "The log {Path} could not be kept within its bound")]
        public static partial void NotBounded(ILogger log, string path, Exception error);
    }
}
