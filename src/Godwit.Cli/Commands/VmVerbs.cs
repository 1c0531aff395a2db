using System.CommandLine;
using Godwit.Api.KubeVirt.V1;
using Godwit.Client;

namespace Godwit.Cli.Commands;

/// <summary>The verbs of KubeVirt's subresource API: start, stop, restart, pause. Suspend and resume: <see cref="VmSuspendCommands"/>.</summary>
internal static class VmVerbs
{
    public static IEnumerable<Command> Build(CommandContext context)
    {
        yield return OnMachine(context, "start", "Start a virtual machine", "starting", new Goal("Wait until the guest runs", VmWaits.UntilRunningAsync));
        yield return OnMachine(
            context,
            "stop",
            "Shut a virtual machine down: the guest is asked first and forced after its grace period",
            "stopping",
            new Goal("Wait until it is stopped", VmWaits.UntilStoppedAsync));
        yield return Restart(context);
        yield return OnGuest(context, "pause", "pause", "Freeze a running guest: its CPUs stop, its memory stays", "paused");
        yield return VmSuspendCommands.BuildSuspend(context);
        yield return VmSuspendCommands.BuildResume(context);
    }

    private static Command OnMachine(CommandContext context, string verb, string description, string done, Goal goal)
    {
        var name = context.VmArgument();
        var command = new Command(verb, description) { name };
        var wait = new WaitOptions(goal.Description);
        wait.AddTo(command);
        context.Act(command, async (session, parsed, stopping) =>
        {
            var vm = parsed.GetRequiredValue(name);
            await PutAsync<VirtualMachine>(session, vm, verb, stopping);
            var (machine, state) = (await session.RequireAsync<VirtualMachine>(vm, stopping), done);
            if (wait.IsAsked(parsed))
            {
                machine = await goal.WaitAsync(session, vm, wait.Bound(parsed), stopping);
                state = machine.Status.PrintableStatus?.ToLowerInvariant();
            }

            session.Printer.Object(machine, output => output.WriteLine($"{vm} {state}"));
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Restart(CommandContext context)
    {
        var name = context.VmArgument();
        var command = new Command("restart", "Stop a virtual machine and start it anew") { name };
        var wait = new WaitOptions("Wait until the guest runs again");
        wait.AddTo(command);
        context.Act(command, async (session, parsed, stopping) =>
        {
            var vm = parsed.GetRequiredValue(name);
            var before = await session.Client.For<VirtualMachineInstance>().FindAsync(session.Key(vm), stopping);
            await PutAsync<VirtualMachine>(session, vm, "restart", stopping);
            var isAsked = wait.IsAsked(parsed);
            if (isAsked)
            {
                await VmWaits.UntilAnotherRunsAsync(session, vm, before?.Metadata.Uid, wait.Bound(parsed), stopping);
            }

            session.Printer.Object(await session.RequireAsync<VirtualMachine>(vm, stopping), output => output.WriteLine($"{vm} {(isAsked ? "running" : "restarting")}"));
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>What can be waited for after a verb.</summary>
    private sealed record Goal(string Description, Func<Session, string, TimeSpan, CancellationToken, Task<VirtualMachine>> WaitAsync);

    private static Command OnGuest(CommandContext context, string verb, string subresource, string description, string done)
    {
        var name = context.VmArgument();
        var command = new Command(verb, description) { name };
        context.Act(command, async (session, parsed, stopping) =>
        {
            var vm = parsed.GetRequiredValue(name);
            await PutAsync<VirtualMachineInstance>(session, vm, subresource, stopping);
            session.Printer.Object(await session.RequireAsync<VirtualMachineInstance>(vm, stopping), output => output.WriteLine($"{vm} {done}"));
            return ExitCodes.Done;
        });
        return command;
    }

    internal static async Task PutAsync<T>(Session session, string name, string subresource, CancellationToken stopping)
        where T : Resource, IResource<T>
    {
        try
        {
            await session.Client.SendForBytesAsync(new ClusterRequest(HttpMethod.Put, SubresourcePath.Of<T>(session.Key(name), subresource)), stopping);
        }
        catch (ApiException error) when (error.IsNotFound)
        {
            await session.RequireAsync<VirtualMachine>(name, stopping); // Says so, with the nearest name, if it is the machine that is missing.
            throw new CliException($"{name} is not running, so there is nothing to {subresource}. Start it: godwit vm start {name}", ExitCodes.Failed, error);
        }
    }
}

/// <summary>Where KubeVirt puts verbs: a group of their own beside the objects.</summary>
internal static class SubresourcePath
{
    public static string Of<T>(ResourceKey key, string subresource)
        where T : Resource, IResource<T> =>
        (T.Type with { Group = GroupName.KubeVirtSubresources }).Path(key.Namespace, key.Name, subresource);
}
