using System.CommandLine;
using Godwit.Api.Core.V1;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Cli.Moves;
using Godwit.Client;

namespace Godwit.Cli.Commands;

/// <summary><c>godwit drain NODE</c>: cordons a node, shows the plan by which its guests leave, and follows it.</summary>
internal static class DrainCommand
{
    private static readonly string[] Modes = [MigrationModes.Auto, MigrationModes.Cold, MigrationModes.Precopy, MigrationModes.Postcopy, MigrationModes.Hybrid];

    public static Command Build(CommandContext context)
    {
        var name = NodeArgument(context, "The node to empty");
        var target = context.NodeOption("--to", "Node that all go to (default: the scheduler chooses for each)");
        var mode = new Option<string?>("--mode") { Description = "How each moves: auto, cold, precopy, postcopy or hybrid (default: auto)", HelpName = "MODE" };
        mode.AcceptOnlyFromAmong(Modes);
        var dryRun = new Option<bool>("--dry-run") { Description = "Show the plan; cordon nothing and move nothing" };
        var timeout = GroupOptions.Timeout("Stop following after this time; the moves go on");
        var command = new Command("drain", "Empty a node: no guest is placed there any more, and those that run there are moved away") { name, dryRun, target, mode };
        var how = new GroupOptions();
        how.AddTo(command);
        command.Add(timeout);
        Help.Add(
            command,
            [
                ("godwit drain node-1 --dry-run", "which guest would go where, when it would end, and which cannot move"),
                ("godwit drain node-1", "do it"),
                ("godwit uncordon node-1 --restore", "bring home what left"),
            ],
            "Ctrl-C cancels: what is under way turns back, what has arrived stays, and the node stays cordoned. Pods are not moved: see kubectl get pods --field-selector spec.nodeName=NODE.");
        context.Act(command, async (session, parsed, stopping) =>
        {
            var node = await session.RequireAsync<Node>(parsed.GetRequiredValue(name), stopping);
            if (parsed.GetValue(target) is { } to)
            {
                await session.RequireAsync<Node>(to, stopping);
            }

            var spec = how.Read(parsed) with
            {
                Selector = new GroupSelector { NodeName = node.Metadata.Name },
                TargetNode = parsed.GetValue(target),
                Mode = parsed.GetValue(mode),
                KeepHome = true,
            };
            var run = new GroupRun(session, GroupOptions.Bound(parsed, timeout))
            {
                InterruptCancels = true,
                AfterCancel = $"{node.Metadata.Name} stays cordoned: godwit uncordon {node.Metadata.Name}, with --restore to bring home what has left",
            };
            if (parsed.GetValue(dryRun))
            {
                return await run.PlanAsync("drain-", spec, stopping);
            }

            await CordonCommand.MarkAsync(session, node, unschedulable: true, stopping);
            await session.Remarks.WriteLineAsync($"{node.Metadata.Name} cordoned");
            return await run.MoveAsync("drain-", spec, stopping);
        });
        return command;
    }

    internal static Argument<string> NodeArgument(CommandContext context, string description) =>
        context.Completed<Node>(new Argument<string>("NODE") { Description = description });
}

/// <summary><c>godwit cordon</c> and <c>uncordon</c>: whether guests are placed on a node; and the way back after a drain.</summary>
internal static class CordonCommand
{
    public static Command Build(CommandContext context)
    {
        var name = DrainCommand.NodeArgument(context, "The node that is to get no more guests");
        var command = new Command("cordon", "Place no more guests on a node; those that run there stay") { name };
        context.Act(command, async (session, parsed, stopping) =>
        {
            var node = await MarkAsync(session, await session.RequireAsync<Node>(parsed.GetRequiredValue(name), stopping), unschedulable: true, stopping);
            session.Printer.Object(node, output => output.WriteLine($"{node.Metadata.Name} cordoned"));
            return ExitCodes.Done;
        });
        return command;
    }

    public static Command BuildUncordon(CommandContext context)
    {
        var name = DrainCommand.NodeArgument(context, "The node that may get guests again");
        var restore = new Option<bool>("--restore") { Description = "Bring home the guests that left when the node was drained, and follow that" };
        var how = new GroupOptions();
        var timeout = GroupOptions.Timeout("With --restore: stop following after this time; the moves go on");
        var command = new Command("uncordon", "Let a node get guests again, and bring home those that a drain moved away") { name, restore };
        how.AddTo(command);
        command.Add(timeout);
        Help.Add(command, [("godwit uncordon node-1 --restore", "undo godwit drain node-1")], "A guest that was restarted meanwhile has no home but where it is. Ctrl-C cancels what is under way.");
        context.Act(command, async (session, parsed, stopping) =>
        {
            if (how.AreAsked(parsed) && !parsed.GetValue(restore))
            {
                throw new CliException("--strategy, --parallel and --attempts say how guests come home: give --restore too", ExitCodes.Usage);
            }

            var node = await MarkAsync(session, await session.RequireAsync<Node>(parsed.GetRequiredValue(name), stopping), unschedulable: false, stopping);
            if (!parsed.GetValue(restore))
            {
                session.Printer.Object(node, output => output.WriteLine($"{node.Metadata.Name} uncordoned"));
                return ExitCodes.Done;
            }

            await session.Remarks.WriteLineAsync($"{node.Metadata.Name} uncordoned");
            var spec = how.Read(parsed) with { Selector = new GroupSelector { HomeNode = node.Metadata.Name }, TargetNode = node.Metadata.Name };
            return await new GroupRun(session, GroupOptions.Bound(parsed, timeout)) { InterruptCancels = true }.MoveAsync("restore-", spec, stopping);
        });
        return command;
    }

    internal static Task<Node> MarkAsync(Session session, Node node, bool unschedulable, CancellationToken stopping) =>
        session.Client.For<Node>().PatchAsync(
            ResourceKey.Of(node), new() { ["spec"] = new System.Text.Json.Nodes.JsonObject { ["unschedulable"] = unschedulable ? true : null } }, stopping);
}
