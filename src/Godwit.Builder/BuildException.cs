namespace Godwit.Builder;

/// <summary>A build that cannot be done, or failed: which line, what was tried, why.</summary>
public sealed class BuildException : Exception
{
    public BuildException(string message, int line = 0)
        : base(Place(message, line)) => Line = line;

    public BuildException(string message, int line, Exception cause)
        : base(Place(message, line), cause) => Line = line;

    /// <summary>Of the Dockerfile, from 1 on; 0 where no line is to blame.</summary>
    public int Line { get; }

    /// <summary>The exit code of a RUN that failed; null for all else.</summary>
    public int? ExitCode { get; init; }

    private static string Place(string message, int line) => line > 0 ? $"Dockerfile, line {line}: {message}" : message;
}
