namespace Godwit.Containers;

/// <summary>Which of a process's two outputs; a terminal has only the first. The numbers are those of Docker's frames.</summary>
public enum OutputStream
{
    Standard = 1,
    Error = 2,
}

/// <summary>A piece of output. The bytes are valid until the next piece is asked for.</summary>
public readonly record struct OutputChunk(OutputStream Stream, ReadOnlyMemory<byte> Bytes);

/// <summary>What to read of a container's log.</summary>
public sealed record LogQuery
{
    public bool StandardOutput { get; init; } = true;

    public bool StandardError { get; init; } = true;

    /// <summary>Lines from the end; null is all.</summary>
    public long? Tail { get; init; }

    public DateTimeOffset? Since { get; init; }

    public DateTimeOffset? Until { get; init; }

    /// <summary>Goes on until the container has ended.</summary>
    public bool Follow { get; init; }

    /// <summary>Each line begins with its time (RFC 3339 with nanoseconds) and a blank.</summary>
    public bool Timestamps { get; init; }
}

/// <summary>What to attach to.</summary>
public sealed record AttachOptions
{
    public bool StandardInput { get; init; }

    public bool StandardOutput { get; init; } = true;

    public bool StandardError { get; init; } = true;

    /// <summary>First what was printed before.</summary>
    public bool Logs { get; init; }

    /// <summary>What is printed from now on, until the container ends; false: only what was printed before.</summary>
    public bool Stream { get; init; } = true;
}

/// <summary>A line to a running program: its output, and its standard input. Letting go of it does nothing to the program but what <see cref="ProcessSpec.StandardInputOnce"/> says.</summary>
public interface IProcessSession : IAsyncDisposable
{
    /// <summary>Ends when the program has ended and all it printed was given.</summary>
    IAsyncEnumerable<OutputChunk> ReadOutputAsync(CancellationToken stopping);

    /// <summary>Returns when the program's side has taken all of it.</summary>
    /// <exception cref="IOException">The program does not read any more.</exception>
    ValueTask WriteInputAsync(ReadOnlyMemory<byte> bytes, CancellationToken stopping);

    /// <summary>Standard input is at its end.</summary>
    ValueTask EndInputAsync(CancellationToken stopping);
}
