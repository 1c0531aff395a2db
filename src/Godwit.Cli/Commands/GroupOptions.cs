using System.CommandLine;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Api.KubeVirt.V1;

namespace Godwit.Cli.Commands;

/// <summary>How several guests are moved: the same options wherever that is asked for.</summary>
internal sealed class GroupOptions
{
    private static readonly TimeSpan BoundDefault = TimeSpan.FromHours(6);

    public GroupOptions()
    {
        Strategy.AcceptOnlyFromAmong(GroupStrategies.Auto, GroupStrategies.Serial, GroupStrategies.Parallel, GroupStrategies.Mixed);
        Promise.AcceptOnlyFromAmong(GroupPromises.Independent, GroupPromises.OneService);
    }

    public Option<string?> Strategy { get; } = new("--strategy") { Description = "In which order: auto, serial, parallel or mixed (default: auto)", HelpName = "STRATEGY" };

    public Option<string?> Promise { get; } = new("--promise") { Description = "independent: each arrives by itself; one-service: all are stopped together and arrive, or all stay (default: independent)", HelpName = "PROMISE" };

    public Option<int?> Parallel { get; } = new("--parallel") { Description = "Move at most so many at a time (default: what the cluster's limits allow)", HelpName = "N" };

    public Option<int?> Attempts { get; } = new("--attempts") { Description = "Try the move of each guest, or of all that are one service, at most so often (default: 3)", HelpName = "N" };

    public void AddTo(Command command)
    {
        command.Add(Strategy);
        command.Add(Promise);
        command.Add(Parallel);
        command.Add(Attempts);
    }

    public GroupMigrationSpec Read(ParseResult parsed) => new()
    {
        Strategy = parsed.GetValue(Strategy),
        Promise = parsed.GetValue(Promise),
        ParallelMax = parsed.GetValue(Parallel),
        AttemptsMax = parsed.GetValue(Attempts),
    };

    public bool AreAsked(ParseResult parsed) =>
        parsed.GetValue(Strategy) is not null || parsed.GetValue(Promise) is not null || parsed.GetValue(Parallel) is not null || parsed.GetValue(Attempts) is not null;

    public static Option<TimeSpan?> Timeout(string description) => Arguments.DurationOption("--timeout", $"{description} (default: 6h)");

    public static TimeSpan Bound(ParseResult parsed, Option<TimeSpan?> timeout) => parsed.GetValue(timeout) ?? BoundDefault;
}

/// <summary>Which guests: by name, or by label.</summary>
internal sealed class GroupChoice
{
    public GroupChoice(CommandContext context, Option<string[]> names)
    {
        Names = names;
        names.CompletionSources.Add(completion =>
        {
            var completed = context.Completed<VirtualMachine>(new Argument<string>("VM"));
            return completed.CompletionSources[0](completion);
        });
    }

    public Option<string[]> Names { get; }

    public Option<string?> Selector { get; } = new("--selector", "-l") { Description = "The running virtual machines with these labels, for example app=web,tier=front", HelpName = "LABELS" };

    public static Option<string[]> NamesOption() =>
        new("--group") { Description = "Several virtual machines, moved by one plan", HelpName = "VM", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [] };

    public void AddTo(Command command)
    {
        command.Add(Names);
        command.Add(Selector);
    }

    public bool IsAsked(ParseResult parsed) => parsed.GetValue(Names) is { Length: > 0 } || parsed.GetValue(Selector) is not null;

    /// <exception cref="CliException">A label is not readable, or a machine does not run.</exception>
    public async Task<GroupMigrationSpec> ReadAsync(GroupMigrationSpec how, Session session, ParseResult parsed, CancellationToken stopping)
    {
        var names = (parsed.GetValue(Names) ?? []).SelectMany(text => text.Split(',', StringSplitOptions.RemoveEmptyEntries)).Distinct(StringComparer.Ordinal).ToList();
        foreach (var name in names)
        {
            await MigrateCommand.RequireRunningAsync(session, name, stopping);
        }

        return how with
        {
            Members = [.. names.Select(name => new GroupMemberReference { Namespace = session.Namespace, Name = name })],
            Selector = parsed.GetValue(Selector) is { } labels ? new GroupSelector { Namespace = session.Namespace, MatchLabels = ReadLabels(labels) } : null,
        };
    }

    private static Dictionary<string, string> ReadLabels(string text)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var parts = pair.Split('=', 2);
            if (parts is not [{ Length: > 0 } name, var value])
            {
                throw new CliException($"--selector '{text}' is no list of labels: write name=value,name=value", ExitCodes.Usage);
            }

            labels[name] = value.TrimStart('=');
        }

        return labels.Count > 0 ? labels : throw new CliException("--selector names no label: write name=value", ExitCodes.Usage);
    }
}
