using Microsoft.Extensions.Logging;

namespace Godwit.Machines;

/// <content>What a machine says, beside what it does.</content>
internal sealed partial class Machine
{
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
