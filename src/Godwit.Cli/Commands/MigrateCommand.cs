using System.CommandLine;
using System.Globalization;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Cli.Moves;

namespace Godwit.Cli.Commands;

/// <summary>What the options of <c>godwit migrate</c> say.</summary>
internal sealed record MoveWish(string VmName, string Namespace)
{
    public string? TargetNode { get; init; }

    /// <summary>One of <see cref="MigrationModes"/>.</summary>
    public string Mode { get; init; } = MigrationModes.Auto;

    /// <summary>In bytes a second.</summary>
    public Quantity? Bandwidth { get; init; }

    public TimeSpan? Downtime { get; init; }
}

/// <summary><c>godwit migrate VM</c> makes one migration object and follows it; <c>list</c> and <c>cancel</c> are about those that are.</summary>
internal static class MigrateCommand
{
    private static readonly string[] Modes = [MigrationModes.Auto, MigrationModes.Cold, MigrationModes.Precopy, MigrationModes.Postcopy, MigrationModes.Hybrid];

    public static Command Build(CommandContext context)
    {
        var name = context.VmArgument("The running virtual machine to move");
        name.Arity = ArgumentArity.ZeroOrOne;
        var target = context.NodeOption("--to", "Node to move to (default: the scheduler chooses)");
        var mode = new Option<string>("--mode") { Description = "How to move: auto, cold, precopy, postcopy or hybrid", HelpName = "MODE", DefaultValueFactory = _ => MigrationModes.Auto };
        mode.AcceptOnlyFromAmong(Modes);
        var bandwidth = new Option<Quantity?>("--bandwidth") { Description = "Use at most so many bytes a second, for example 50M (default: the policy's)", HelpName = "RATE", CustomParser = Arguments.Quantity };
        var downtime = Arguments.DurationOption("--downtime", "Aim at a stop of the guest no longer than this, for example 50ms (default: the policy's)");
        var choice = new GroupChoice(context, GroupChoice.NamesOption());
        var how = new GroupOptions();
        var noWait = new Option<bool>("--no-wait") { Description = "Ask for the move and return" };
        var timeout = Arguments.DurationOption("--timeout", "Stop following after this time; the move goes on (default: 1h)");
        var command = new Command("migrate", "Move a running virtual machine to another node, and follow the move") { name, target, mode, bandwidth, downtime, noWait, timeout };
        choice.AddTo(command);
        how.AddTo(command);
        command.Add(MigrateListCommand.Build(context));
        command.Add(MigrateCancelCommand.Build(context));
        Help.Add(
            command,
            [
                ("godwit migrate tiny", "to the node that the scheduler chooses"),
                ("godwit migrate tiny --to node-2 --mode precopy", "to this node, in this way"),
                ("godwit migrate tiny --bandwidth 50M --downtime 50ms", "gently"),
                ("godwit migrate --group web db --strategy serial", "several, by one plan"),
                ("godwit migrate list", "moves, running and past"),
                ("godwit migrate cancel tiny", "the guest stays where it is"),
            ],
            "Before a move: godwit predict VM, or godwit plan for several. Ctrl-C stops following; the move goes on.");
        context.Act(command, async (session, parsed, stopping) =>
        {
            if (choice.IsAsked(parsed))
            {
                if (parsed.GetValue(name) is not null || parsed.GetValue(bandwidth) is not null || parsed.GetValue(downtime) is not null || parsed.GetValue(noWait))
                {
                    throw new CliException("--group and --selector take the place of VM, and --bandwidth, --downtime and --no-wait are for one machine: for several, a MigrationPolicy says so", ExitCodes.Usage);
                }

                var several = await choice.ReadAsync(how.Read(parsed) with { TargetNode = parsed.GetValue(target), Mode = parsed.GetValue(mode) }, session, parsed, stopping);
                return await new GroupRun(session, GroupOptions.Bound(parsed, timeout)).MoveAsync("group-", several, stopping);
            }

            if (how.AreAsked(parsed))
            {
                throw new CliException("--strategy, --parallel and --attempts are for several machines: name them with --group or --selector", ExitCodes.Usage);
            }

            var wish = new MoveWish(parsed.GetValue(name) ?? throw new CliException("Which machine? Name it, or several with --group or --selector", ExitCodes.Usage), session.Namespace)
            {
                TargetNode = parsed.GetValue(target),
                Mode = parsed.GetValue(mode)!,
                Bandwidth = parsed.GetValue(bandwidth),
                Downtime = parsed.GetValue(downtime),
            };
            await RequireRunningAsync(session, wish.VmName, stopping);
            if (wish.TargetNode is not null)
            {
                await session.RequireAsync<Api.Core.V1.Node>(wish.TargetNode, stopping);
            }

            var move = await session.Client.For<VirtualMachineInstanceMigration>().CreateAsync(Manifest(wish), stopping);
            return parsed.GetValue(noWait) ? Tell(session, move) : await FollowAsync(session, move, parsed.GetValue(timeout) ?? TimeSpan.FromHours(1), stopping);
        });
        return command;
    }

    /// <summary>The migration object that the options ask for.</summary>
    internal static VirtualMachineInstanceMigration Manifest(MoveWish wish)
    {
        var annotations = new Dictionary<string, string> { [AnnotationNames.Mode] = wish.Mode };
        if (wish.Bandwidth is { } bandwidth)
        {
            annotations[AnnotationNames.Bandwidth] = bandwidth.ToString();
        }

        if (wish.Downtime is { } downtime)
        {
            annotations[AnnotationNames.DowntimeLimitMs] = ((long)Math.Ceiling(downtime.TotalMilliseconds)).ToString(CultureInfo.InvariantCulture);
        }

        return new VirtualMachineInstanceMigration
        {
            Metadata = new ObjectMeta { GenerateName = wish.VmName + "-", Namespace = wish.Namespace, Annotations = annotations },
            Spec = new VirtualMachineInstanceMigrationSpec
            {
                VmiName = wish.VmName,
                AddedNodeSelector = wish.TargetNode is null ? new Dictionary<string, string>() : new Dictionary<string, string> { [LabelNames.Hostname] = wish.TargetNode },
            },
        };
    }

    internal static async Task<VirtualMachineInstance> RequireRunningAsync(Session session, string name, CancellationToken stopping)
    {
        var guest = await session.Client.For<VirtualMachineInstance>().FindAsync(session.Key(name), stopping);
        if (guest is null)
        {
            await session.RequireAsync<VirtualMachine>(name, stopping);
            throw new CliException($"{name} is not running, so it has nothing to move: no disk of it lies on a node until it starts, on whichever that is. Start it: godwit vm start {name}");
        }

        return guest.Status.Phase == VirtualMachineInstancePhases.Running
            ? guest
            : throw new CliException($"{name} does not run yet, or no more: it is {guest.Status.Phase ?? VirtualMachineInstancePhases.Pending}. See why: godwit vm show {name}");
    }

    private static int Tell(Session session, VirtualMachineInstanceMigration move)
    {
        session.Printer.Object(move, output => output.WriteLine($"{move.Metadata.Name} created: follow it with godwit migrate list, end it with godwit migrate cancel {move.Metadata.Name}"));
        return ExitCodes.Done;
    }

    internal static async Task<int> FollowAsync(Session session, VirtualMachineInstanceMigration move, TimeSpan bound, CancellationToken stopping)
    {
        using var timeout = new CancellationTokenSource(bound, session.Environment.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, timeout.Token);
        var goesOn = $"The move goes on: see godwit migrate list; to end it: godwit migrate cancel {move.Metadata.Name}";
        try
        {
            return await EndAsync(session, move, await MoveView.FollowAsync(session, move.Metadata.Name, either.Token), stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await session.Environment.Error.WriteLineAsync($"Stopped following. {goesOn}");
            return ExitCodes.Interrupted;
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            throw new CliException($"The move has not ended within {bound.TotalSeconds:0} s. {goesOn}", ExitCodes.TimedOut);
        }
    }

    private static async Task<int> EndAsync(Session session, VirtualMachineInstanceMigration asked, VirtualMachineInstanceMigration? last, CancellationToken stopping)
    {
        if (last is null)
        {
            var guest = await session.Client.For<VirtualMachineInstance>().FindAsync(session.Key(asked.Spec.VmiName), stopping);
            throw new CliException($"The move was cancelled; {asked.Spec.VmiName} is {(guest is null ? "no longer there" : $"on {guest.Status.NodeName}")}");
        }

        if (last.Status.Phase != MigrationPhases.Succeeded)
        {
            session.Printer.Object(last, _ => { });
            throw new CliException($"{last.Spec.VmiName} was not moved{(last.Status.MigrationState?.TargetNode is null ? "" : $" ({MoveText.Route(last)})")}: {MoveText.FailureReason(last)}");
        }

        session.Printer.Object(last, output => MoveReport.Write(output, session.Printer, last));
        return ExitCodes.Done;
    }
}
