using System.CommandLine;
using Godwit.Cli.Output;
using Godwit.Client;

namespace Godwit.Cli;

/// <summary>Options that every client command takes, wherever on the line they stand.</summary>
internal sealed record SharedOptions
{
    public Option<string?> Kubeconfig { get; } = new("--kubeconfig")
    {
        Description = "File that says where the cluster is and who you are (default: $KUBECONFIG, this host's own server, ~/.kube/config)",
        HelpName = "FILE",
        Recursive = true,
    };

    public Option<string?> Context { get; } = new("--context") { Description = "Context of that file", HelpName = "NAME", Recursive = true };

    public Option<string?> Server { get; } = new("--server") { Description = "Address of the API server, in place of the file's", HelpName = "URL", Recursive = true };

    public Option<string?> Namespace { get; } = new("--namespace", "-n") { Description = "Namespace to act in (default: the context's)", HelpName = "NAME", Recursive = true };

    public Option<OutputFormat?> Output { get; } = new("--output", "-o")
    {
        Description = "Form of the answer: table, wide, json, yaml or name (default: table)",
        HelpName = "FORM",
        Recursive = true,
        CustomParser = OutputFormats.Parse,
    };

    public static SharedOptions AddTo(RootCommand root)
    {
        var shared = new SharedOptions();
        shared.Output.CompletionSources.Add(OutputFormats.Names);
        root.Add(shared.Kubeconfig);
        root.Add(shared.Context);
        root.Add(shared.Server);
        root.Add(shared.Namespace);
        root.Add(shared.Output);
        return shared;
    }

    /// <summary>The kubeconfig to use: the one named, else $KUBECONFIG, else the local server's, else the user's own; null when there is none.</summary>
    public string? FindKubeconfig(ParseResult parsed, CliEnvironment environment)
    {
        if (parsed.GetValue(Kubeconfig) is { Length: > 0 } named)
        {
            return named;
        }

        if (environment.Variable("KUBECONFIG") is { Length: > 0 } variable)
        {
            return variable;
        }

        var home = Path.Combine(environment.Variable("HOME") ?? "/", ".kube", "config");
        return File.Exists(environment.LocalKubeconfigPath) ? environment.LocalKubeconfigPath : File.Exists(home) ? home : null;
    }

    /// <exception cref="CliException">It is not known where the cluster is.</exception>
    public ClusterConnection Connect(ParseResult parsed, CliEnvironment environment)
    {
        var server = ReadServer(parsed);
        if (FindKubeconfig(parsed, environment) is { } path)
        {
            var connection = Client.Kubeconfig.Load(path, parsed.GetValue(Context));
            return server is null ? connection : connection with { Servers = [server] };
        }

        return server is null
            ? throw new CliException(
                $"No cluster is known: neither --kubeconfig nor $KUBECONFIG is set, and neither {environment.LocalKubeconfigPath} nor ~/.kube/config exists. Start one with 'godwit up', or name a kubeconfig",
                ExitCodes.Unreachable)
            : new ClusterConnection { Servers = [server] };
    }

    private Uri? ReadServer(ParseResult parsed) => parsed.GetValue(Server) switch
    {
        null => null,
        var text when Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http" => new Uri(text),
        var text => throw new CliException($"--server '{text}' is no address: write it as https://HOST:PORT", ExitCodes.Usage),
    };
}
