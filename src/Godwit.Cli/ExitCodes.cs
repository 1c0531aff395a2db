namespace Godwit.Cli;

/// <summary>What a script can tell by. They are part of the command line's contract and stand in its help.</summary>
public static class ExitCodes
{
    public const int Done = 0;

    /// <summary>It was tried and did not work, or the server said no.</summary>
    public const int Failed = 1;

    /// <summary>The command line is wrong; nothing was tried.</summary>
    public const int Usage = 2;

    /// <summary>The object that was named does not exist.</summary>
    public const int NotFound = 3;

    /// <summary>No server answered, or it is not known where one is.</summary>
    public const int Unreachable = 4;

    /// <summary>A bound on waiting was reached; what was asked for may still happen.</summary>
    public const int TimedOut = 5;

    /// <summary>Ctrl-C.</summary>
    public const int Interrupted = 130;

    /// <summary>The codes in words, for help.</summary>
    public const string Words =
        "0 done, 1 failed or refused, 2 wrong command line, 3 no such object, 4 no server, 5 timed out, 130 interrupted";
}

/// <summary>A command cannot go on. The message is for the person: what was tried, why not, what to do.</summary>
public class CliException(string message, int exitCode = ExitCodes.Failed, Exception? cause = null) : Exception(message, cause)
{
    public int ExitCode { get; } = exitCode;
}
