namespace Godwit.Containers;

/// <summary>
/// What a container is asked to be: all that its maker can say, with the image's defaults already applied. It never changes but by <see cref="ContainerUpdate"/>, and stands on disk before the
/// container has an id that anybody knows.
/// </summary>
public sealed record ContainerSpec
{
    /// <summary>The image's name as the user gave it.</summary>
    public required string Image { get; init; }

    /// <summary>The content's id that the name meant when the container was made.</summary>
    public required string ImageId { get; init; }

    public required ProcessSpec Process { get; init; }

    /// <summary>Null: the short id.</summary>
    public string? HostName { get; init; }

    public string DomainName { get; init; } = "";

    public IReadOnlyDictionary<string, string> Labels { get; init; } = Empty;

    public IReadOnlyDictionary<string, string> Annotations { get; init; } = Empty;

    public RestartPolicy Restart { get; init; } = RestartPolicy.Never;

    /// <summary>Removed, with its anonymous volumes, as soon as it has ended. Nothing of it needs to survive the host.</summary>
    public bool AutoRemove { get; init; }

    /// <summary>A step of some work of the engine's own, such as a build: when the engine is gone nobody wants it, and the next engine removes it.</summary>
    public bool EndsWithEngine { get; init; }

    /// <summary>Null: none.</summary>
    public HealthCheckSpec? HealthCheck { get; init; }

    public StopSpec Stop { get; init; } = new();

    public ResourceSpec Resources { get; init; } = new();

    public IsolationSpec Isolation { get; init; } = new();

    public IReadOnlyList<MountSpec> Mounts { get; init; } = [];

    public NetworkSpec Network { get; init; } = new();

    public LogSpec Log { get; init; } = new();

    /// <summary>The most that the container's own layer may hold; null is the disk's end.</summary>
    public long? StorageSizeBytes { get; init; }

    internal static IReadOnlyDictionary<string, string> Empty { get; } = new Dictionary<string, string>(StringComparer.Ordinal);
}

/// <summary>A program with its surroundings; the form is the same for a container's first process and for one executed in it later.</summary>
public sealed record ProcessSpec
{
    /// <summary>Prefix of <see cref="Command"/>: an image's fixed program.</summary>
    public IReadOnlyList<string> Entrypoint { get; init; } = [];

    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>Entries <c>NAME=value</c>; of two with one name the later counts.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];

    /// <summary>An absolute path in the container; made if it is not there.</summary>
    public string WorkingDirectory { get; init; } = "/";

    /// <summary><c>user[:group]</c>, each a name from the container's own files or a number; empty is root.</summary>
    public string User { get; init; } = "";

    /// <summary>Groups beside the user's own, by name or number.</summary>
    public IReadOnlyList<string> SupplementaryGroups { get; init; } = [];

    /// <summary>A pseudo-terminal in place of three pipes: output and errors are one stream then.</summary>
    public bool Terminal { get; init; }

    /// <summary>The terminal's first size; null is the runtime's default.</summary>
    public TerminalSize? TerminalSize { get; init; }

    /// <summary>Standard input is a pipe from whoever attaches; otherwise it is at its end from the start.</summary>
    public bool OpenStandardInput { get; init; }

    /// <summary>Standard input ends when the first who attached to it lets go.</summary>
    public bool StandardInputOnce { get; init; }

    public IReadOnlyList<string> Arguments => [.. Entrypoint, .. Command];
}

public readonly record struct TerminalSize(ushort Rows, ushort Columns);

/// <summary>How a container is asked to end.</summary>
public sealed record StopSpec
{
    /// <summary>A signal's name or number (signal(7)).</summary>
    public string Signal { get; init; } = "SIGTERM";

    /// <summary>Patience between the signal and SIGKILL.</summary>
    public int TimeoutSeconds { get; init; } = 10;
}

/// <summary>When a container that has ended is started anew.</summary>
public sealed record RestartPolicy(RestartMode Mode, int RetriesMax = 0)
{
    public static RestartPolicy Never { get; } = new(RestartMode.Never);
}

public enum RestartMode
{
    Never,

    /// <summary>After an exit code other than zero, at most <see cref="RestartPolicy.RetriesMax"/> times in a row (0: without end).</summary>
    OnFailure,

    /// <summary>Always; after the engine's own start too, even if somebody had stopped it.</summary>
    Always,

    /// <summary>As always, but what somebody stopped stays stopped.</summary>
    UnlessStopped,
}

/// <summary>A command, executed in the container again and again, whose exit code says whether the container does its work.</summary>
public sealed record HealthCheckSpec
{
    public required IReadOnlyList<string> Command { get; init; }

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Failures in this time after the start do not count.</summary>
    public TimeSpan StartPeriod { get; init; }

    /// <summary>The interval within the start period.</summary>
    public TimeSpan StartInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Failures in a row that make it unhealthy.</summary>
    public int Retries { get; init; } = 3;
}

/// <summary>How much of its output is kept.</summary>
public sealed record LogSpec
{
    public const long SizeBytesDefault = 128L << 20;

    /// <summary>False: output can be attached to, and is not kept to be read later.</summary>
    public bool Kept { get; init; } = true;

    /// <summary>A file that has grown beyond this is put aside.</summary>
    public long SizeBytesMax { get; init; } = SizeBytesDefault;

    /// <summary>Files kept, the one being written included.</summary>
    public int FilesMax { get; init; } = 4;

    /// <summary>The driver's name and options as the client gave them, to be shown to it again.</summary>
    public string Driver { get; init; } = "json-file";

    public IReadOnlyDictionary<string, string> Options { get; init; } = ContainerSpec.Empty;
}
