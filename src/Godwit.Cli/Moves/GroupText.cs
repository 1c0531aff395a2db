using Godwit.Api.Groups.V1Alpha1;
using Godwit.Cli.Output;

namespace Godwit.Cli.Moves;

/// <summary>A group of moves in words: its plan, each member as it goes, and forecast and measurement at the end.</summary>
internal static class GroupText
{
    private sealed record Line(string What, string Forecast, string Measured);

    private sealed record Row(string Order, GroupMember Member);

    public static void Plan(TextWriter output, Printer printer, GroupMigration group)
    {
        var status = group.Status;
        if (status.Members.Count == 0)
        {
            output.WriteLine("There is no guest to move.");
            return;
        }

        printer.Table(
            status.Members.Select((member, index) => new Row(IsRefused(member) ? Human.Unknown : Human.Number(index + 1), member)),
            [
                new("ORDER", row => row.Order),
                new("GUEST", row => Name(row.Member)),
                new("FROM", row => row.Member.SourceNode ?? Human.Unknown),
                new("TO", row => row.Member.TargetNode ?? Human.Unknown),
                new("MODE", row => row.Member.Mode ?? Human.Unknown),
                new("TAKES", row => Human.Milliseconds(row.Member.Forecast?.TotalMs)),
                new("STOPS FOR", row => Human.Milliseconds(row.Member.Forecast?.DowntimeMs)),
                new("CONFIDENCE", row => Human.Percent(row.Member.Forecast?.Confidence), Wide: true),
            ]);
        foreach (var refused in status.Members.Where(IsRefused))
        {
            output.WriteLine($"{Name(refused)} cannot move: {refused.Reason}");
        }

        if (status.Forecasts.Count > 0)
        {
            output.WriteLine();
            Strategies(printer, group);
            output.WriteLine();
            output.WriteLine($"Strategy {status.Strategy}: {Reason(status)}. It takes {Human.Milliseconds(Chosen(status)?.TotalMs)}.");
        }
    }

    /// <summary>What a member has come to; empty while it waits for its first turn.</summary>
    public static string Member(GroupMember member) => member.Phase switch
    {
        GroupMemberPhases.Moving => $"{Name(member)}: moving {Route(member)}{(member.Attempts > 1 ? $", try {Human.Number(member.Attempts)}" : "")}",
        GroupMemberPhases.Moved => $"{Name(member)}: moved {Route(member)} in {Human.Milliseconds(member.TotalMs)}, it stopped for {Human.Milliseconds(member.DowntimeMs)}",
        GroupMemberPhases.Failed => $"{Name(member)}: not moved: {member.Reason}",
        GroupMemberPhases.Gone => $"{Name(member)}: nothing to move: {member.Reason}",
        GroupMemberPhases.Waiting when !string.IsNullOrEmpty(member.Reason) => $"{Name(member)}: {member.Reason}",
        _ => "",
    };

    public static string Standing(GroupMigrationStatus status, DateTimeOffset now)
    {
        var moved = status.Members.Count(member => member.Phase == GroupMemberPhases.Moved);
        var left = status is { EndEarliestTimestamp: { } earliest, EndLatestTimestamp: { } latest } && latest > now
            ? $", ends in {Human.Milliseconds(new Api.Forecasts.V1Alpha1.ForecastRange { Low = (long)Math.Max(0, (earliest - now).TotalMilliseconds), High = (long)(latest - now).TotalMilliseconds })}"
            : "";
        var service = status.Service switch
        {
            { Decision: GroupDecisions.ReturnAll } => ", all return",
            { Decision: GroupDecisions.RunAll } => ", all have arrived",
            { SwitchoverTimestamp: not null } => ", all stand still",
            _ => "",
        };
        return $"{moved} of {status.Members.Count} moved{service}{left}";
    }

    public static void End(TextWriter output, Printer printer, GroupMigration group)
    {
        var (forecast, measured) = (Chosen(group.Status), group.Status.Measurement);
        output.WriteLine($"{Human.Number(measured?.Moved ?? 0)} of {group.Status.Members.Count} guests moved");
        if (forecast is null)
        {
            return;
        }

        output.WriteLine();
        printer.Table(
            [
                new Line("total", Human.Milliseconds(forecast.TotalMs), Human.Milliseconds(measured?.TotalMs)),
                new Line(IsService(group) ? "stop of the service" : "longest stop of a guest", Human.Milliseconds(forecast.DowntimeMs), Human.Milliseconds(measured?.DowntimeMs)),
                new Line("sent", Human.Unknown, Human.Bytes(measured?.Bytes)),
                new Line("tries that failed", Human.Unknown, Human.Number(measured?.Retries)),
            ],
            [new Column<Line>("", line => line.What), new("FORECAST", line => line.Forecast), new("MEASURED", line => line.Measured)]);
    }

    public static StrategyForecast? Chosen(GroupMigrationStatus status) => status.Forecasts.FirstOrDefault(forecast => forecast.Strategy == status.Strategy);

    private static void Strategies(Printer printer, GroupMigration group) => printer.Table(
        group.Status.Forecasts,
        [
            new("STRATEGY", forecast => forecast.Strategy),
            new("AT A TIME", forecast => Human.Number(forecast.Parallel)),
            new("TOTAL", forecast => Human.Milliseconds(forecast.TotalMs)),
            new(IsService(group) ? "STOP OF ALL" : "LONGEST STOP", forecast => Human.Milliseconds(forecast.DowntimeMs)),
            new("TEXTBOOK TOTAL", forecast => Book(forecast.TextbookTotalMs)),
            new("TEXTBOOK STOP", forecast => Book(forecast.TextbookDowntimeMs)),
            new("REFUSED", forecast => forecast.Refusal ?? ""),
        ]);

    private static string Book(double? milliseconds) => milliseconds is null ? "diverges" : Human.Milliseconds(milliseconds);

    private static string Reason(GroupMigrationStatus status) =>
        status.Reason?.StartsWith(status.Strategy + ": ", StringComparison.Ordinal) == true ? status.Reason[(status.Strategy!.Length + 2)..] : status.Reason ?? "";

    private static bool IsService(GroupMigration group) => group.Spec.Promise == GroupPromises.OneService;

    private static bool IsRefused(GroupMember member) => member.Phase == GroupMemberPhases.Refused;

    private static string Name(GroupMember member) => $"{member.Namespace}/{member.Name}";

    private static string Route(GroupMember member) => $"{member.SourceNode ?? "?"} → {member.TargetNode ?? "?"}";
}
