using Godwit.Qmp;
using Microsoft.Extensions.Logging;

namespace Godwit.Machines;

/// <content>What a machine says, beside what it does.</content>
internal sealed partial class Machine
{
    public async Task<MachineUsage> GetUsageAsync(CancellationToken stopping)
    {
        if (parts.Process is not { Exited.IsCompleted: false } process)
        {
            return new MachineUsage(TimeSpan.Zero, 0, 0, 0);
        }

        var devices = await TellAsync("read the use of", QmpCommands.QueryBlockStatistics with { Bound = TimeSpan.FromSeconds(3) }, stopping);
        return new MachineUsage(
            process.CpuTime,
            ResidentMemory.ReadBytes(process.Identity.ProcessId),
            devices.Sum(device => device.Stats.ReadBytes),
            devices.Sum(device => device.Stats.WrittenBytes));
    }

    public Task<Stream> OpenConsoleAsync(CancellationToken stopping) =>
        console is not null && ProcessId != 0
            ? console.AttachAsync(stopping)
            : throw new MachineException($"cannot open the console of {Spec.DisplayName}: its QEMU has ended; its log can still be read.");

    public async Task<Stream> OpenLogAsync(int? tailLines, bool follow, CancellationToken stopping)
    {
        await consoleLog.DrainAsync(stopping);
        return new LogStream(parts.Files.OlderConsoleLog, parts.Files.ConsoleLog, tailLines, follow ? () => ProcessId != 0 : null, context.Clock, consoleLog.DrainAsync);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "{Machine} is {State}: {Reason}")]
        public static partial void Became(ILogger log, string machine, MachineRunState state, string reason);

        [LoggerMessage(2, LogLevel.Warning, "{Machine} did not shut down within {GraceSeconds} s and is ended by force")]
        public static partial void Forced(ILogger log, string machine, double graceSeconds);

        [LoggerMessage(4, LogLevel.Warning, "The rescue monitor of {Machine} is not usable; a migration of it that hangs may not be recoverable after the agent's restart")]
        public static partial void NoRescue(ILogger log, string machine, Exception error);

        [LoggerMessage(3, LogLevel.Warning, "The monitor of {Machine} could not be reached; it is tried again")]
        public static partial void NotReached(ILogger log, string machine, Exception error);
    }
}
