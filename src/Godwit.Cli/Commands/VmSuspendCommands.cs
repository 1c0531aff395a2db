using System.CommandLine;
using System.Text.Json.Nodes;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Client;

namespace Godwit.Cli.Commands;

/// <summary><c>godwit vm suspend</c> puts a guest into a file of its node; <c>godwit vm resume</c> lets it go on from there, or from a pause, here or on another node.</summary>
internal static class VmSuspendCommands
{
    public static Command BuildSuspend(CommandContext context)
    {
        var name = context.VmArgument();
        var command = new Command("suspend", "Put a running guest into a file of its node: it uses neither processor nor memory until it is resumed") { name };
        var wait = new WaitOptions("Wait until it is suspended");
        wait.AddTo(command);
        context.Act(command, async (session, parsed, stopping) =>
        {
            var vm = parsed.GetRequiredValue(name);
            await VmVerbs.PutAsync<VirtualMachineInstance>(session, vm, "suspend", stopping);
            var done = "suspending";
            if (wait.IsAsked(parsed))
            {
                await VmWaits.UntilSuspendedAsync(session, vm, wait.Bound(parsed), stopping);
                done = "suspended";
            }

            session.Printer.Object(await session.RequireAsync<VirtualMachineInstance>(vm, stopping), output => output.WriteLine($"{vm} {done}"));
            return ExitCodes.Done;
        });
        return command;
    }

    public static Command BuildResume(CommandContext context)
    {
        var name = context.VmArgument();
        var target = context.NodeOption("--to", "Of a suspended guest: resume it on this node, to which it is sent with its disks");
        var command = new Command("resume", "Let a paused guest go on, or a suspended one, here or on another node") { name, target };
        var wait = new WaitOptions("Wait until the guest runs");
        wait.AddTo(command);
        context.Act(command, async (session, parsed, stopping) =>
        {
            var vm = parsed.GetRequiredValue(name);
            if (parsed.GetValue(target) is { } node)
            {
                return await ResumeElsewhereAsync(session, vm, node, wait.Bound(parsed), stopping);
            }

            await VmVerbs.PutAsync<VirtualMachineInstance>(session, vm, "unpause", stopping);
            if (wait.IsAsked(parsed))
            {
                await VmWaits.UntilGuestRunsAsync(session, vm, wait.Bound(parsed), stopping);
            }

            session.Printer.Object(await session.RequireAsync<VirtualMachineInstance>(vm, stopping), output => output.WriteLine($"{vm} resumed"));
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>A move of the guest as it lies; the wish to be suspended ends where it arrives. A move that fails leaves it suspended where it is.</summary>
    private static async Task<int> ResumeElsewhereAsync(Session session, string vm, string node, TimeSpan bound, CancellationToken stopping)
    {
        await session.RequireAsync<Api.Core.V1.Node>(node, stopping);
        var guest = await MigrateCommand.RequireRunningAsync(session, vm, stopping);
        if (guest.Status.Conditions.All(condition => condition is not { Type: VirtualMachineInstanceConditions.Suspended, Status: Api.Meta.V1.ConditionStatuses.True }))
        {
            throw new CliException($"{vm} is not suspended, so --to has no meaning here: to move a guest that runs, godwit migrate {vm} --to {node}");
        }

        if (guest.Status.NodeName == node)
        {
            throw new CliException($"{vm} lies on {node} already: godwit vm resume {vm}");
        }

        await WishAsync(session, vm, Suspensions.UntilMoved, stopping);
        var move = await session.Client.For<VirtualMachineInstanceMigration>().CreateAsync(
            MigrateCommand.Manifest(new MoveWish(vm, session.Namespace) { TargetNode = node, Mode = MigrationModes.Cold }), stopping);
        try
        {
            return await MigrateCommand.FollowAsync(session, move, bound, stopping);
        }
        catch (CliException error) when (error.ExitCode != ExitCodes.TimedOut)
        {
            await WishAsync(session, vm, Suspensions.Always, stopping);
            throw;
        }
    }

    private static async Task WishAsync(Session session, string vm, string wish, CancellationToken stopping)
    {
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [AnnotationNames.Suspend] = wish } } };
        await session.Client.For<VirtualMachineInstance>().PatchAsync(session.Key(vm), patch, stopping);
    }
}
