using System.CommandLine;

namespace Godwit.Cli.Commands;

/// <summary>Prints this host's own server's kubeconfig, or else the one in use, so that it can be given to <c>kubectl</c> or carried to another host.</summary>
internal static class KubeconfigCommand
{
    public static Command Build(CommandContext context)
    {
        var command = new Command("kubeconfig", "Print the administrator's kubeconfig, for kubectl or another host; it is a secret");
        Help.LeaveOut(command, "--output");
        Help.Add(
            command,
            [
                ("godwit kubeconfig > ~/.kube/config", "use kubectl on this cluster"),
                ("kubectl --kubeconfig <(godwit kubeconfig) get vmi", "the same, once"),
            ]);
        command.SetAction(async (parsed, stopping) =>
        {
            var local = context.Environment.LocalKubeconfigPath;
            var named = !string.IsNullOrEmpty(parsed.GetValue(context.Shared.Kubeconfig));
            var path = (!named && File.Exists(local) ? local : context.Shared.FindKubeconfig(parsed, context.Environment))
                ?? throw new CliException($"There is no kubeconfig: {local} is written by 'godwit up' and 'godwit server' on their host", ExitCodes.Unreachable);
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
