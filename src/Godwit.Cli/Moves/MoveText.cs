using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Cli.Output;
using Godwit.Migration.Convergence;

namespace Godwit.Cli.Moves;

/// <summary>A move in words: where it is, what is expected of it, how it ended.</summary>
internal static class MoveText
{
    /// <summary>Where the move stands, for a progress line: phase and round.</summary>
    public static string Stage(VirtualMachineInstanceMigration move)
    {
        var progress = move.Status.Progress;
        return progress?.Phase switch
        {
            null or "" => (move.Status.Phase ?? MigrationPhases.Pending) switch
            {
                MigrationPhases.Pending => "waiting for its turn",
                MigrationPhases.Scheduling => "choosing a target",
                MigrationPhases.Scheduled => "waiting for the source's agent",
                var phase => phase.ToLowerInvariant(),
            },
            MovePhases.Preflight => "checking",
            MovePhases.Preparing => "preparing the target",
            MovePhases.CopyingDisks => $"copying disks, {Human.Bytes(progress.DiskCopiedBytes ?? 0)} of {Human.Bytes(progress.DiskTotalBytes ?? 0)}",
            MovePhases.Precopying => $"copying, round {Human.Number(progress.Round ?? 1)}",
            MovePhases.SwitchingOver => "switching over",
            MovePhases.Activating => "starting on the target",
            MovePhases.Postcopying => "running on the target, fetching the rest",
            MovePhases.Paused => "paused: the stream broke and is being mended",
            MovePhases.Completed => "completed",
            MovePhases.Aborted => "aborted",
            var other => other,
        };
    }

    /// <summary>What has been sent and what is left; empty while nothing has been.</summary>
    public static string Transfer(MigrationProgress? progress)
    {
        if (progress?.TransferredBytes is null or 0)
        {
            return "";
        }

        var parts = new List<string>
        {
            $"{Human.Bytes(progress.TransferredBytes)} sent",
            progress.ThroughputBytesPerSecond is > 0 ? Human.Rate(progress.ThroughputBytesPerSecond) : "",
            progress.RemainingBytes is { } left ? $"{Human.Bytes(left)} left" : "",
            progress.DirtyBytesPerSecond is > 0 ? $"guest writes {Human.Rate(progress.DirtyBytesPerSecond)}" : "",
            progress.ThrottlePercent is > 0 ? $"guest slowed by {Human.Number(progress.ThrottlePercent)} %" : "",
            Outlook(progress),
        };
        return string.Join(", ", parts.Where(part => part.Length > 0));
    }

    /// <summary>When it is going to end, counted from when that was told, and how likely well; empty when that cannot be told.</summary>
    private static string Outlook(MigrationProgress progress)
    {
        if (progress is not { EndEarliestTimestamp: { } early, EndLatestTimestamp: { } late, UpdatedTimestamp: { } told })
        {
            return "";
        }

        var range = new ForecastRange { Low = Math.Max(0, (long)(early - told).TotalMilliseconds), High = Math.Max(0, (long)(late - told).TotalMilliseconds) };
        var chance = progress.SuccessChancePercent is { } percent ? $", {Human.Number(percent)} % likely within its bounds" : "";
        return $"ends in {Human.Milliseconds(range)}{chance}";
    }

    public static string Forecast(ModeForecast forecast)
    {
        var confidence = forecast.Confidence is { } share ? $" (confidence {Human.Percent(share)})" : "";
        var reason = string.IsNullOrEmpty(forecast.Reason) ? "" : $": {forecast.Reason}";
        return $"forecast by {forecast.Mode}: total {Human.Milliseconds(forecast.TotalMs)}, downtime {Human.Milliseconds(forecast.DowntimeMs)}, {Human.Bytes(forecast.Bytes)} to send{confidence}{reason}";
    }

    /// <summary>From where to where; what is not known yet is left open.</summary>
    public static string Route(VirtualMachineInstanceMigration move) =>
        $"{move.Status.MigrationState?.SourceNode ?? "?"} → {move.Status.MigrationState?.TargetNode ?? "?"}";

    /// <summary>Why a move failed: its own reason, else what its conditions say.</summary>
    public static string FailureReason(VirtualMachineInstanceMigration move)
    {
        if (move.Status.MigrationState?.FailureReason is { Length: > 0 } reason)
        {
            return reason;
        }

        var told = move.Status.Conditions
            .Where(condition => !string.IsNullOrEmpty(condition.Message))
            .Select(condition => string.IsNullOrEmpty(condition.Reason) ? condition.Message! : $"{condition.Reason}: {condition.Message}")
            .Distinct(StringComparer.Ordinal)
            .ToList();
        return told.Count == 0 ? "no reason was given; see kubectl describe vmim " + move.Metadata.Name : string.Join("; ", told);
    }

    /// <summary>The rule that ended the rounds of pre-copy, by its name and in words.</summary>
    public static string Termination(string rule) => Enum.TryParse<TerminationRule>(rule, out var known) ? $"{rule}: {InWords(known)}" : rule;

    private static string InWords(TerminationRule rule) => rule switch
    {
        TerminationRule.FitsDowntimeLimit => "what was left fitted into the downtime limit",
        TerminationRule.Threshold => "what was left was below the policy's threshold",
        TerminationRule.Rounds => "the policy's number of rounds was reached",
        TerminationRule.CopiedMemory => "the policy's multiple of the guest's memory had been sent",
        TerminationRule.NotConverging => "rounds stopped shrinking: the guest writes as fast as the link carries",
        TerminationRule.Deadline => "the policy's time for the move was over",
        TerminationRule.ServiceTogether => "all guests of its service were in their last rounds",
        TerminationRule.StoppedFirst => "there were none, the guest was stopped first",
        _ => throw new ArgumentOutOfRangeException(nameof(rule), rule, "A rule without words."),
    };

    /// <summary>A guest's last move, as its object remembers it.</summary>
    public static string InWords(MigrationState move)
    {
        var route = $"{move.SourceNode ?? "?"} → {move.TargetNode ?? "?"}";
        var end = (move.Completed, move.Failed) switch
        {
            (_, true) => $"failed: {move.FailureReason ?? "no reason was given"}",
            (true, _) when move is { StartTimestamp: { } start, EndTimestamp: { } stop } => $"completed in {Human.Milliseconds((double?)(stop - start).TotalMilliseconds)}",
            (true, _) => "completed",
            _ => "under way",
        };
        return $"{route}, {end}";
    }
}
