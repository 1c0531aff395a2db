using System.CommandLine;
using Godwit.Api.KubeVirt.V1;
using Godwit.Cli.Output;
using Godwit.Client;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Cli;

/// <summary>What commands are built with: the world, the shared options, and the way from a command line to a session.</summary>
internal sealed class CommandContext(CliEnvironment environment, SharedOptions shared)
{
    /// <summary>A completion that the cluster does not answer in this time stays empty: a shell waits for it.</summary>
    private static readonly TimeSpan CompletionWaitMax = TimeSpan.FromSeconds(1);

    public CliEnvironment Environment => environment;

    public SharedOptions Shared => shared;

    /// <summary>Gives a command what it does, in a session with the cluster.</summary>
    public void Act(Command command, Func<Session, ParseResult, CancellationToken, Task<int>> action) =>
        command.SetAction(async (parsed, stopping) =>
        {
            using var session = Open(parsed);
            return await action(session, parsed, stopping);
        });

    /// <summary>An argument that names a virtual machine; the shell completes it.</summary>
    public Argument<string> VmArgument(string description = "Name of the virtual machine") => Completed<VirtualMachine>(new Argument<string>("VM") { Description = description });

    /// <summary>An option that names a node; the shell completes it.</summary>
    public Option<string?> NodeOption(string name, string description)
    {
        var option = new Option<string?>(name) { Description = description, HelpName = "NODE" };
        option.CompletionSources.Add(completion => Names<Api.Core.V1.Node>(completion.ParseResult));
        return option;
    }

    public Argument<string> Completed<T>(Argument<string> argument)
        where T : Resource, IResource<T>
    {
        argument.CompletionSources.Add(completion => Names<T>(completion.ParseResult));
        return argument;
    }

    public Session Open(ParseResult parsed)
    {
        var connection = shared.Connect(parsed, environment);
        if (connection.Authorities is not null)
        {
            environment.ForgetHostAuthorities();
        }

        return new Session(
            new ClusterClient(connection, environment.Clock, NullLogger<ClusterClient>.Instance),
            parsed.GetValue(shared.Namespace) is { Length: > 0 } named ? named : connection.Namespace,
            parsed.GetValue(shared.Output) ?? OutputFormat.Table,
            environment);
    }

    private List<string> Names<T>(ParseResult parsed)
        where T : Resource, IResource<T>
    {
        try
        {
            using var bound = new CancellationTokenSource(CompletionWaitMax, environment.Clock);
            using var session = Open(parsed);
            return Task.Run(() => session.NamesAsync<T>(bound.Token)).GetAwaiter().GetResult();
        }
        catch (Exception error) when (error is CliException or ApiException or ClusterUnreachableException or KubeconfigException or OperationCanceledException)
        {
            return []; // A shell that completes is no place for errors: the command itself will tell them.
        }
    }
}
