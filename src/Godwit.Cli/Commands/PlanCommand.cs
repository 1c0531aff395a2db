using System.CommandLine;
using Godwit.Api.Core.V1;
using Godwit.Cli.Moves;

namespace Godwit.Cli.Commands;

/// <summary><c>godwit plan</c>: what moving several guests would take, strategy by strategy, without moving anything.</summary>
internal static class PlanCommand
{
    public static Command Build(CommandContext context)
    {
        var target = context.NodeOption("--to", "Node that all would go to (default: the scheduler chooses for each)");
        var choice = new GroupChoice(context, GroupChoice.NamesOption());
        var how = new GroupOptions();
        var timeout = Arguments.DurationOption("--timeout", "How long to wait for the plan (default: 3m)");
        var command = new Command("plan", "Plan the move of several virtual machines, without moving anything");
        choice.AddTo(command);
        command.Add(target);
        how.AddTo(command);
        command.Add(timeout);
        Help.Add(
            command,
            [
                ("godwit plan --group web db", "which goes where, and what each strategy would take"),
                ("godwit plan -l app=shop --strategy parallel", "those with a label, all at a time"),
            ],
            "To carry it out: godwit migrate with the same options. For all guests of a node: godwit drain NODE --dry-run.");
        context.Act(command, async (session, parsed, stopping) =>
        {
            if (!choice.IsAsked(parsed))
            {
                throw new CliException("Which machines? Name them with --group, or give their labels with --selector", ExitCodes.Usage);
            }

            if (parsed.GetValue(target) is { } to)
            {
                await session.RequireAsync<Node>(to, stopping);
            }

            var spec = await choice.ReadAsync(how.Read(parsed) with { TargetNode = parsed.GetValue(target) }, session, parsed, stopping);
            return await new GroupRun(session, parsed.GetValue(timeout) ?? TimeSpan.FromMinutes(3)).PlanAsync("plan-", spec, stopping);
        });
        return command;
    }
}
