namespace Godwit.Builder.Dockerfiles;

/// <summary>One instruction as it was written: split, but neither expanded nor understood.</summary>
public sealed record Instruction
{
    /// <summary>In capitals.</summary>
    public required string Name { get; init; }

    /// <summary>What stands before the arguments as <c>--name</c> or <c>--name=value</c>, in order.</summary>
    public IReadOnlyList<InstructionFlag> Flags { get; init; } = [];

    /// <summary>All after name and flags, on one line, outer blanks taken away.</summary>
    public string Arguments { get; init; } = "";

    /// <summary>The arguments as the JSON array of strings that they are; null where they are none.</summary>
    public IReadOnlyList<string>? Array { get; init; }

    /// <summary>The documents that follow the line, in order.</summary>
    public IReadOnlyList<HereDocument> Documents { get; init; } = [];

    /// <summary>Of its first line, from 1 on.</summary>
    public required int Line { get; init; }

    /// <summary>On one line, for histories and messages.</summary>
    public string Text => string.Join(' ', new[] { Name }.Concat(Flags.Select(flag => flag.ToString())).Append(Arguments)).TrimEnd();
}

/// <summary>A flag; its value is null where it has none.</summary>
public readonly record struct InstructionFlag(string Name, string? Value)
{
    public override string ToString() => Value is null ? $"--{Name}" : $"--{Name}={Value}";
}

/// <summary>A here-document: <c>&lt;&lt;NAME</c> on the instruction's line, and the lines after it up to NAME alone.</summary>
/// <param name="Name">Which word ends it; as a COPY's source, the name of the file.</param>
/// <param name="Contents">Its lines, each with its end; tabs at their starts taken away if it was begun with a dash.</param>
/// <param name="IsExpanded">Whether variables in it are expanded: not if its name was quoted.</param>
public sealed record HereDocument(string Name, string Contents, bool IsExpanded);

/// <summary>A whole Dockerfile, split into instructions.</summary>
/// <param name="Escape">The character that continues lines and takes the meaning from the next: backslash or backtick.</param>
/// <param name="Instructions">In order.</param>
public sealed record DockerfileText(char Escape, IReadOnlyList<Instruction> Instructions);
