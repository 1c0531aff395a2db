using System.CommandLine;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Cli.Moves;
using Godwit.Cli.Output;
using Godwit.Client;

namespace Godwit.Cli.Commands;

internal static class MigrateListCommand
{
    public static Command Build(CommandContext context)
    {
        var all = new Option<bool>("--all-namespaces", "-A") { Description = "Moves in all namespaces" };
        var command = new Command("list", "List moves, running and past, newest last") { all };
        command.Aliases.Add("ls");
        context.Act(command, async (session, parsed, stopping) =>
        {
            var moves = await session.Client.For<VirtualMachineInstanceMigration>().ListAsync(
                new ListOptions { Namespace = parsed.GetValue(all) ? null : session.Namespace }, stopping);
            var now = context.Environment.Clock.GetUtcNow();
            var ordered = moves.Items.OrderBy(move => move.Metadata.CreationTimestamp).ThenBy(move => move.Metadata.Name, StringComparer.Ordinal).ToList();
            session.Printer.List(moves with { Items = ordered }, ordered,
            [
                new("NAME", move => move.Metadata.Name),
                new("VM", move => move.Spec.VmiName),
                new("STATE", move => State(move)),
                new("ROUTE", MoveText.Route),
                new("MODE", move => move.Status.Forecast?.Mode ?? move.Metadata.Annotations.GetValueOrDefault(AnnotationNames.Mode) ?? Human.Unknown),
                new("TOTAL", move => Human.Milliseconds(move.Status.Measurement?.TotalMs)),
                new("DOWNTIME", move => Human.Milliseconds(move.Status.Measurement?.NetworkDowntimeMs ?? move.Status.Measurement?.DowntimeMs)),
                new("AGE", move => Human.Age(move.Metadata.CreationTimestamp, now)),
                new("SENT", move => Human.Bytes(move.Status.Measurement?.Bytes ?? move.Status.Progress?.TransferredBytes), Wide: true),
                new("FORECAST", move => Human.Milliseconds(move.Status.Forecast?.TotalMs), Wide: true),
                new("REASON", move => move.Status.Phase == MigrationPhases.Failed ? MoveText.FailureReason(move) : Human.Unknown, Wide: true),
            ]);
            return ExitCodes.Done;
        });
        return command;
    }

    private static string State(VirtualMachineInstanceMigration move) =>
        MigrationPhases.IsFinal(move.Status.Phase) ? move.Status.Phase!.ToLowerInvariant()
        : move.Metadata.DeletionTimestamp is not null ? "being cancelled"
        : move.Status.Progress?.Percent is { } percent ? $"{MoveText.Stage(move)} ({Human.Number(percent)} %)"
        : MoveText.Stage(move);
}

internal static class MigrateCancelCommand
{
    public static Command Build(CommandContext context)
    {
        var name = context.Completed<VirtualMachineInstanceMigration>(new Argument<string>("MOVE") { Description = "Name of the move, of the machine that moves, or of a group of moves" });
        var command = new Command("cancel", "Cancel a move under way: the guest stays where it is") { name };
        var wait = new WaitOptions("Wait until the move has ended");
        wait.AddTo(command);
        context.Act(command, async (session, parsed, stopping) =>
        {
            if (await session.Client.For<GroupMigration>().FindAsync(new ResourceKey("", parsed.GetRequiredValue(name)), stopping) is { } group)
            {
                return await CancelGroupAsync(session, group, wait.IsAsked(parsed) ? wait.Bound(parsed) : null, stopping);
            }

            var move = await FindAsync(session, parsed.GetRequiredValue(name), stopping);
            if (MigrationPhases.IsFinal(move.Status.Phase))
            {
                throw new CliException($"{move.Metadata.Name} has already ended ({move.Status.Phase!.ToLowerInvariant()}): there is nothing to cancel");
            }

            // By its uid: it may have ended, and another one of its name begun, since we looked.
            var options = new Api.Meta.V1.DeleteOptions { Preconditions = new Api.Meta.V1.Preconditions { Uid = move.Metadata.Uid } };
            await session.Client.For<VirtualMachineInstanceMigration>().TryDeleteAsync(session.Key(move.Metadata.Name), options, stopping);
            if (wait.IsAsked(parsed))
            {
                await VmWaits.UntilGoneAsync<VirtualMachineInstanceMigration>(session, move.Metadata.Name, wait.Bound(parsed), stopping);
            }

            session.Printer.Object(move, output => output.WriteLine($"{move.Metadata.Name}: cancel {(wait.IsAsked(parsed) ? "done" : "asked for")}"));
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>What is under way turns back, what waits is not begun, what has arrived stays.</summary>
    private static async Task<int> CancelGroupAsync(Session session, GroupMigration group, TimeSpan? bound, CancellationToken stopping)
    {
        if (GroupPhases.IsFinal(group.Status.Phase))
        {
            throw new CliException($"{group.Metadata.Name} has already ended ({group.Status.Phase!.ToLowerInvariant()}): there is nothing to cancel");
        }

        var options = new Api.Meta.V1.DeleteOptions { Preconditions = new Api.Meta.V1.Preconditions { Uid = group.Metadata.Uid } };
        await session.Client.For<GroupMigration>().TryDeleteAsync(ResourceKey.Of(group), options, stopping);
        if (bound is { } patience)
        {
            await VmWaits.UntilGoneAsync<GroupMigration>(session, group.Metadata.Name, patience, stopping);
        }

        session.Printer.Object(group, output => output.WriteLine($"{group.Metadata.Name}: cancel {(bound is null ? "asked for" : "done")}"));
        return ExitCodes.Done;
    }

    /// <summary>A move by its own name, else the one under way of the machine of that name.</summary>
    private static async Task<VirtualMachineInstanceMigration> FindAsync(Session session, string name, CancellationToken stopping)
    {
        var moves = (await session.Client.For<VirtualMachineInstanceMigration>().ListAsync(new ListOptions { Namespace = session.Namespace }, stopping)).Items;
        return moves.FirstOrDefault(move => move.Metadata.Name == name)
            ?? moves.FirstOrDefault(move => move.Spec.VmiName == name && !MigrationPhases.IsFinal(move.Status.Phase))
            ?? throw await NotFoundAsync(session, name, moves, stopping);
    }

    private static async Task<CliException> NotFoundAsync(Session session, string name, IReadOnlyList<VirtualMachineInstanceMigration> moves, CancellationToken stopping)
    {
        var vms = await session.NamesAsync<VirtualMachine>(stopping);
        var nearest = NearestName.Of(name, moves.Select(move => move.Metadata.Name).Concat(vms));
        return vms.Contains(name, StringComparer.Ordinal)
            ? new CliException($"{name} is not being moved: there is nothing to cancel")
            : new CliException($"There is no move and no machine '{name}' in namespace {session.Namespace}.{(nearest is null ? "" : $" Did you mean '{nearest}'?")}", ExitCodes.NotFound);
    }
}
