using Godwit.Oci;

namespace Godwit.Builder.Dockerfiles;

/// <summary>One instruction, understood. Variables in it are expanded when the build comes to it, not before.</summary>
public abstract record Step
{
    private protected Step(Instruction source) => Source = source; // Closed: the steps below and no others.

    public Instruction Source { get; }

    public int Line => Source.Line;

    /// <summary>Begins a stage.</summary>
    public sealed record From(Instruction Source, string Image, string? StageName, string? Platform) : Step(Source);

    /// <summary>Declares variables of the build; a null value has no default.</summary>
    public sealed record Arg(Instruction Source, IReadOnlyList<NamedValue> Variables) : Step(Source);

    public sealed record Env(Instruction Source, IReadOnlyList<NamedValue> Variables) : Step(Source);

    public sealed record Label(Instruction Source, IReadOnlyList<NamedValue> Labels) : Step(Source);

    public sealed record Run(Instruction Source, CommandLine Command, IReadOnlyList<RunMount> Mounts, string? Network) : Step(Source);

    /// <summary>COPY, or ADD, which also fetches and unpacks.</summary>
    public sealed record Copy(Instruction Source, IReadOnlyList<string> Sources, string Destination, CopyOptions Options) : Step(Source);

    public sealed record WorkDir(Instruction Source, string Path) : Step(Source);

    public sealed record User(Instruction Source, string Name) : Step(Source);

    public sealed record Expose(Instruction Source, IReadOnlyList<string> Ports) : Step(Source);

    public sealed record Volume(Instruction Source, IReadOnlyList<string> Paths) : Step(Source);

    public sealed record Cmd(Instruction Source, CommandLine Command) : Step(Source);

    public sealed record Entrypoint(Instruction Source, CommandLine Command) : Step(Source);

    public sealed record Shell(Instruction Source, IReadOnlyList<string> Command) : Step(Source);

    public sealed record StopSignal(Instruction Source, string Signal) : Step(Source);

    /// <summary>Null is NONE: the base's own is switched off.</summary>
    public sealed record Health(Instruction Source, HealthCheck? Check, CommandLine? Command) : Step(Source);

    public sealed record OnBuild(Instruction Source, string Trigger) : Step(Source);

    public sealed record Maintainer(Instruction Source, string Name) : Step(Source);
}

/// <summary>A name and what it is to be, as it was written.</summary>
public readonly record struct NamedValue(string Name, string? Value);

/// <summary>A program with its arguments, or a text for the shell.</summary>
/// <param name="Exec">The arguments; null in the shell form.</param>
/// <param name="ShellText">The text; null in the exec form.</param>
public sealed record CommandLine(IReadOnlyList<string>? Exec, string? ShellText);

/// <summary>The flags of COPY and ADD.</summary>
public sealed record CopyOptions
{
    /// <summary>Fetch addresses and unpack archives.</summary>
    public bool IsAdd { get; init; }

    /// <summary>A stage, its number, or an image; null is the context.</summary>
    public string? FromStage { get; init; }

    public string? Owner { get; init; }

    public string? Mode { get; init; }

    /// <summary>What a fetched file must be, as a digest.</summary>
    public string? Checksum { get; init; }

    /// <summary>Keep the sources' folders below the destination.</summary>
    public bool KeepsParents { get; init; }

    public IReadOnlyList<string> Excludes { get; init; } = [];
}

public enum RunMountKind
{
    Bind,
    Cache,
    Memory,
    Secret,
    Ssh,
}

/// <summary>A mount for the time of one RUN. Paths are expanded when it runs.</summary>
public sealed record RunMount
{
    public required RunMountKind Kind { get; init; }

    public string? Target { get; init; }

    public string? Source { get; init; }

    /// <summary>A stage or image; null is the context, or for a cache nothing.</summary>
    public string? FromStage { get; init; }

    /// <summary>Of a cache or secret.</summary>
    public string? Id { get; init; }

    public bool IsReadOnly { get; init; }

    public bool IsRequired { get; init; }

    /// <summary>A secret's value goes into this variable.</summary>
    public string? Variable { get; init; }

    /// <summary>How several builds use one cache: <c>shared</c>, <c>private</c> or <c>locked</c>.</summary>
    public string Sharing { get; init; } = "shared";

    public uint? Mode { get; init; }

    public uint UserId { get; init; }

    public uint GroupId { get; init; }

    public long? SizeBytes { get; init; }
}
