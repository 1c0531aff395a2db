using System.CommandLine;
using System.Reflection;
using Godwit.App.Clusters;
using Godwit.App.Commands;
using Godwit.Cli;
using Godwit.Linux.Hosts;

namespace Godwit.App;

/// <summary>
/// The one program. Commands that talk to a cluster come from <c>Godwit.Cli</c>; the ones that run or start parts of a
/// cluster on this host are added here.
/// </summary>
internal static class GodwitProgram
{
    /// <summary>On every command: which of several clusters on this host is meant.</summary>
    public static Option<string?> Instance { get; } = new("--instance")
    {
        Description = "Which cluster on this host, when there is more than one (1 to 8 letters and digits)",
        HelpName = "NAME",
        Recursive = true,
    };

    /// <summary>Which cluster, and as whom: what runs a cluster on this host has no use for them.</summary>
    private static readonly string[] ClusterOptions = ["--kubeconfig", "--context", "--server", "--namespace"];

    public static async Task<int> RunAsync(string[] arguments)
    {
        // Asked to end by a signal: the command in hand gets to tidy up.
        var environment = CliEnvironment.OfProcess(Version) with { LocalKubeconfigPath = FindLocalKubeconfig(arguments), ForgetHostAuthorities = HostAuthorities.Forget };
        return await GodwitCli.InvokeAsync(BuildRoot(environment), arguments, environment, CancellationToken.None);
    }

    internal static RootCommand BuildRoot(CliEnvironment environment)
    {
        var root = GodwitCli.BuildRoot(environment);
        root.Add(Instance);
        foreach (var (command, leftOut) in new (Command, string[])[]
        {
            (UpCommand.Create(environment, Version), ClusterOptions),
            (DownCommand.Create(environment), ClusterOptions),
            (ServerCommand.Create(), [.. ClusterOptions, "--output"]),
            (AgentCommand.Create(), [.. ClusterOptions, "--output"]),
            (EngineCommand.Create(Version), [.. ClusterOptions, "--output"]),
            (BuildCommand.Create(environment), [.. ClusterOptions, "--output"]),
            (StoreCommand.Create(environment), ClusterOptions),
            (DemoCommand.Create(environment), ClusterOptions),
        })
        {
            root.Add(command);
            foreach (var each in command.Subcommands.Prepend(command))
            {
                Help.LeaveOut(each, leftOut);
            }
        }

        return root;
    }

    private static string Version =>
        typeof(GodwitProgram).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0.0.0";

    // The kubeconfig of the instance that the command line names, before the line is parsed for real.
    private static string FindLocalKubeconfig(string[] arguments)
    {
        var at = Array.FindIndex(arguments, argument => argument == "--instance");
        var equals = Array.Find(arguments, argument => argument.StartsWith("--instance=", StringComparison.Ordinal));
        var instance = equals?["--instance=".Length..] ?? (at >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null);
        var places = Places.For(Places.IsName(instance) ? instance : null, null, null);
        return (ClusterRecord.TryLoad(places) is { } record ? Places.For(places.Instance, record.DataFolder, record.ImagesFolder) : places).KubeconfigPath;
    }
}
