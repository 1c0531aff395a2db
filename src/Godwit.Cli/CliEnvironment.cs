namespace Godwit.Cli;

/// <summary>
/// The world as the commands see it. The composition root fills it from the process; tests fill it from memory. No
/// command touches the console, the environment or a clock but through this.
/// </summary>
public sealed record CliEnvironment
{
    public required TextWriter Output { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Opens the raw bytes of standard input; only the console reads it.</summary>
    public required Func<Stream> OpenInput { get; init; }

    /// <summary>Opens the raw bytes of standard output, for what is not text: a guest's console and log.</summary>
    public required Func<Stream> OpenRawOutput { get; init; }

    /// <summary>Whether standard input is a terminal.</summary>
    public bool InputIsTerminal { get; init; }

    /// <summary>Whether standard output is a terminal: then progress is drawn, else it is written line by line.</summary>
    public bool OutputIsTerminal { get; init; }

    /// <summary>Columns of the terminal, or of what is written where there is none.</summary>
    public int Width { get; init; } = 100;

    public required TimeProvider Clock { get; init; }

    /// <summary>Variables of the environment.</summary>
    public required Func<string, string?> Variable { get; init; }

    /// <summary>What a server on this host writes for its administrator; used when nothing else is named.</summary>
    public string LocalKubeconfigPath { get; init; } = "/var/lib/godwit/admin.kubeconfig";

    /// <summary>
    /// Called before the first connection to a cluster that names its own authority, the only one that is then trusted: the host's
    /// need not be read, which costs more than the rest of a short command.
    /// </summary>
    public Action ForgetHostAuthorities { get; init; } = () => { };

    /// <summary>The program's own version.</summary>
    public string Version { get; init; } = "0.0.0";

    /// <summary>The environment of this process.</summary>
    public static CliEnvironment OfProcess(string version) => new()
    {
        Output = Console.Out,
        Error = Console.Error,
        OpenInput = () => new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0),
        OpenRawOutput = Console.OpenStandardOutput,
        InputIsTerminal = !Console.IsInputRedirected,
        OutputIsTerminal = !Console.IsOutputRedirected,
        Width = !Console.IsOutputRedirected && Console.WindowWidth > 0 ? Math.Max(Console.WindowWidth, 40) : 100,
        Clock = TimeProvider.System,
        Variable = Environment.GetEnvironmentVariable,
        Version = version,
    };
}
