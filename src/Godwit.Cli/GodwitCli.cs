using System.CommandLine;
using System.CommandLine.Invocation;
using Godwit.Base;
using Godwit.Cli.Commands;
using Godwit.Cli.Output;
using Godwit.Client;

namespace Godwit.Cli;

/// <summary>
/// The command line. Every command here is a client of the API and can do nothing that <c>kubectl</c> could not;
/// commands that run servers are added to the root by the program itself.
/// </summary>
public static class GodwitCli
{
    /// <summary>After Ctrl-C or SIGTERM a command has this long to tidy up; a server ends its requests in it.</summary>
    private static readonly TimeSpan TerminationWaitMax = TimeSpan.FromSeconds(15);

    /// <summary>The root command with all client commands; the caller may add its own to it.</summary>
    public static RootCommand BuildRoot(CliEnvironment environment)
    {
        var root = new RootCommand("Runs virtual machines on a cluster of Linux hosts, and moves them between hosts while they run.");
        var shared = SharedOptions.AddTo(root);
        var context = new CommandContext(environment, shared);
        root.Add(VmCommand.Build(context));
        root.Add(MigrateCommand.Build(context));
        root.Add(PredictCommand.Build(context));
        root.Add(PlanCommand.Build(context));
        root.Add(NodesCommand.Build(context));
        root.Add(DrainCommand.Build(context));
        root.Add(CordonCommand.Build(context));
        root.Add(CordonCommand.BuildUncordon(context));
        root.Add(CompareCommand.Build(context));
        root.Add(KubeconfigCommand.Build(context));
        root.Add(CompletionCommand.Build(context));
        root.Add(VersionCommand.Build(context));
        Help.Add(
            root,
            [
                ("godwit vm create tiny", "a guest that is up in seconds"),
                ("godwit predict tiny", "what a move would take, mode by mode"),
                ("godwit migrate tiny", "move it, and see forecast and measurement side by side"),
                ("godwit vm console tiny", "its serial console; leave with Ctrl-]"),
            ],
            $"Exit codes: {ExitCodes.Words}.");
        return root;
    }

    /// <summary>Whether a command that answers in words, or as one JSON object, is to do the latter.</summary>
    /// <exception cref="CliException">It is asked for a form that it does not have.</exception>
    public static bool AsksForJson(ParseResult parsed) => parsed.GetValue<OutputFormat?>("--output") switch
    {
        null or OutputFormat.Table => false,
        OutputFormat.Json => true,
        var other => throw new CliException($"'{Help.PathOf(parsed.CommandResult.Command)}' answers with -o table or -o json, not with {other.ToString()!.ToLowerInvariant()}", ExitCodes.Usage),
    };

    /// <summary>Runs one command line; prints errors, once, to <see cref="CliEnvironment.Error"/>.</summary>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public static async Task<int> InvokeAsync(RootCommand root, IReadOnlyList<string> arguments, CliEnvironment environment, CancellationToken stopping)
    {
        Help.ShowEverywhere(root, environment.Width);
        var parsed = root.Parse(arguments);
        var configuration = new InvocationConfiguration
        {
            Output = environment.Output,
            Error = environment.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = TerminationWaitMax,
        };
        try
        {
            if (parsed.Action is ParseErrorAction mistake)
            {
                mistake.ShowHelp = false;
                await parsed.InvokeAsync(configuration, stopping);
                await environment.Error.WriteLineAsync($"Try '{Help.PathOf(parsed.CommandResult.Command)} --help'.");
                return ExitCodes.Usage;
            }

            return await parsed.InvokeAsync(configuration, stopping);
        }
        catch (Exception error)
        {
            return await TellAsync(error, environment);
        }
    }

    private static async Task<int> TellAsync(Exception error, CliEnvironment environment)
    {
        var (exitCode, advice) = error switch
        {
            CliException known => (known.ExitCode, ""),
            OperationCanceledException => (ExitCodes.Interrupted, ""),
            ApiException { IsNotFound: true } => (ExitCodes.NotFound, ""),
            ApiException { IsForbidden: true } => (ExitCodes.Failed, "Your user may not do this: use the administrator's kubeconfig (godwit kubeconfig)."),
            ApiException => (ExitCodes.Failed, ""),
            ClusterUnreachableException { InnerException: ServerTrustException } => (
                ExitCodes.Unreachable,
                "Take the kubeconfig of that very cluster (godwit kubeconfig, on its server's host), or name the right server with --server or --kubeconfig; if it is one of dates, set this host's clock."),
            ClusterUnreachableException => (ExitCodes.Unreachable, "Is the server running (godwit up), and is this its address? --server and --kubeconfig name another."),
            KubeconfigException => (ExitCodes.Unreachable, ""),
            _ => (ExitCodes.Failed, ""),
        };
        if (exitCode != ExitCodes.Interrupted)
        {
            await environment.Error.WriteLineAsync($"error: {ErrorChain.Describe(error)}");
        }

        if (advice.Length > 0)
        {
            await environment.Error.WriteLineAsync(advice);
        }

        return exitCode;
    }
}
