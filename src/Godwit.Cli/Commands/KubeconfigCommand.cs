using System.CommandLine;

namespace Godwit.Cli.Commands;

/// <summary>Prints the kubeconfig that the other commands use, so that it can be given to <c>kubectl</c> or carried to another host.</summary>
internal static class KubeconfigCommand
{
    public static Command Build(CommandContext context)
    {
        var command = new Command("kubeconfig", "Print the kubeconfig in use, for kubectl or another host; it is a secret");
        Help.Add(
            command,
            [
                ("godwit kubeconfig > ~/.kube/config", "use kubectl on this cluster"),
                ("kubectl --kubeconfig <(godwit kubeconfig) get vmi", "the same, once"),
            ]);
        command.SetAction(async (parsed, stopping) =>
        {
            var path = context.Shared.FindKubeconfig(parsed, context.Environment)
                ?? throw new CliException($"There is no kubeconfig: {context.Environment.LocalKubeconfigPath} is written by 'godwit up' and 'godwit server' on their host", ExitCodes.Unreachable);
            try
            {
                await context.Environment.Output.WriteAsync(await File.ReadAllTextAsync(path, stopping));
                return ExitCodes.Done;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new CliException($"Cannot read the kubeconfig {path}: run as the user that may (root, for this host's own server), or name another with --kubeconfig", ExitCodes.Unreachable, error);
            }
        });
        return command;
    }
}
