using Godwit.Api;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Protocol;
using ModeForecast = Godwit.Api.Forecasts.V1Alpha1.ModeForecast;

namespace Godwit.Node.Migrations;

/// <summary>All that a migration object's status is made from.</summary>
internal sealed record MoveView(SourcePhase Phase, long WireBytes, long MemoryBytes, ModeForecast? Forecast, DateTimeOffset Now)
{
    /// <summary>One of <see cref="MoveHoldPoints"/> while the move is held there; null: it is not held.</summary>
    public string? HeldAt { get; init; }

    /// <summary>What became of the last change of what the move may cost; null: there was none.</summary>
    public TermsNote? Terms { get; init; }

    /// <summary>How it is going to end; null: that cannot be told.</summary>
    public Outlook? Outlook { get; init; }

    /// <summary>Bytes of disks on the wire, not in <see cref="WireBytes"/>.</summary>
    public long DiskBytes { get; init; }

    /// <summary>One of <see cref="MigrationTransports"/>.</summary>
    public string Transport { get; init; } = MigrationTransports.Tls;
}

/// <summary>The status of a migration object, from where the engine is. Pure; what others wrote there is kept.</summary>
internal static class MoveStatus
{
    /// <summary>An end further away than a year is no forecast.</summary>
    private const double EndSecondsMax = 365.0 * 24 * 60 * 60;

    public const string ConditionType = "Moving";

    /// <summary>There is one on a move whose policy, or own wishes, changed while it ran.</summary>
    public const string BudgetConditionType = "BudgetChanged";

    /// <summary>There is one on a move that was ever held.</summary>
    public const string HeldConditionType = "Held";

    public static VirtualMachineInstanceMigrationStatus For(MoveView view, VirtualMachineInstanceMigrationStatus before)
    {
        var phase = Rising(KubeVirtPhase(view.Phase), before.Phase);
        var trace = view.Phase.Move.Trace;
        var status = before with
        {
            Conditions = WithTerms(WithHold(With(before.Conditions, Condition(view)), view), view),
            MigrationState = StateFor(view, before.MigrationState ?? new MigrationState()),
            Progress = ProgressFor(view, before.Progress),
            Forecast = view.Forecast ?? before.Forecast,
            Measurement = trace.RunningAt is null ? before.Measurement : MeasurementFor(view, before.Measurement),
            Service = view.Phase.Plan.IsOfService ? ServiceFor(view.Phase) ?? before.Service : before.Service,
        };
        return phase == before.Phase ? status : status with
        {
            Phase = phase,
            PhaseTransitionTimestamps = [.. before.PhaseTransitionTimestamps, new PhaseTransition { Phase = phase, Timestamp = view.Now }],
        };
    }

    /// <summary>KubeVirt's phase. The move has succeeded, or failed, as soon as the guest's place is settled; cleaning up may go on.</summary>
    public static string KubeVirtPhase(SourcePhase phase) => phase switch
    {
        SourcePhase.Recording or SourcePhase.Preparing or SourcePhase.Opening => MigrationPhases.PreparingTarget,
        SourcePhase.Arming { TargetReady: false } => MigrationPhases.PreparingTarget,
        SourcePhase.Arming => MigrationPhases.TargetReady,
        SourcePhase.Completing or SourcePhase.Completed => MigrationPhases.Succeeded,
        SourcePhase.Fencing { GuestGone: false } or SourcePhase.Aborted or SourcePhase.GuestLost => MigrationPhases.Failed,
        _ => MigrationPhases.Running,
    };

    private static string GodwitPhase(SourcePhase phase) => phase switch
    {
        SourcePhase.Recording or SourcePhase.Preparing or SourcePhase.Arming or SourcePhase.Opening => MovePhases.Preparing,
        SourcePhase.Mirroring => MovePhases.CopyingDisks,
        SourcePhase.Precopying or SourcePhase.Gathering or SourcePhase.EndingRounds => MovePhases.Precopying,
        SourcePhase.FinishingDisks or SourcePhase.SwitchingOver or SourcePhase.Awaiting => MovePhases.SwitchingOver,
        SourcePhase.Activating => MovePhases.Activating,
        SourcePhase.Postcopying or SourcePhase.Asking => MovePhases.Postcopying,
        SourcePhase.Recovering => MovePhases.Paused,
        SourcePhase.Completing or SourcePhase.Completed => MovePhases.Completed,
        _ => MovePhases.Aborted,
    };

    /// <summary>A final phase stays: what is left to do after it changes conditions only.</summary>
    private static string Rising(string phase, string? before) => MigrationPhases.IsFinal(before) ? before! : phase;

    private static Condition Condition(MoveView view)
    {
        var ended = view.Phase.IsEnd;
        return new()
        {
            Type = ConditionType,
            Status = ended ? ConditionStatuses.False : ConditionStatuses.True,
            Reason = ReasonOf(view.Phase),
            Message = view.Phase.Describe(),
            LastTransitionTime = view.Now,
        };
    }

    private static IReadOnlyList<Condition> WithHold(IReadOnlyList<Condition> conditions, MoveView view)
    {
        var held = view.HeldAt is not null;
        return !held && !conditions.Any(entry => entry.Type == HeldConditionType) ? conditions : With(conditions, new()
        {
            Type = HeldConditionType,
            Status = held ? ConditionStatuses.True : ConditionStatuses.False,
            Reason = view.HeldAt ?? "Released",
            Message = held ? $"held at {view.HeldAt} until its annotation {AnnotationNames.HoldAt} is taken away or the time is over" : "it goes on",
            LastTransitionTime = view.Now,
        });
    }

    private static IReadOnlyList<Condition> WithTerms(IReadOnlyList<Condition> conditions, MoveView view) => view.Terms is not { } terms ? conditions : With(conditions, new()
    {
        Type = BudgetConditionType,
        Status = terms.IsObeyed ? ConditionStatuses.True : ConditionStatuses.False,
        Reason = terms.Reason,
        Message = terms.Message,
        LastTransitionTime = view.Now,
    });

    private static string ReasonOf(SourcePhase phase) => phase switch
    {
        SourcePhase.TurningBack turning => turning.Reason.Kind.ToString(),
        SourcePhase.Fencing fencing => fencing.Reason.Kind.ToString(),
        SourcePhase.Aborted aborted => aborted.Reason.Kind.ToString(),
        _ => phase.GetType().Name,
    };

    private static IReadOnlyList<Condition> With(IReadOnlyList<Condition> before, Condition condition)
    {
        var old = before.FirstOrDefault(entry => entry.Type == condition.Type);
        if (old is not null && old.Status == condition.Status && old.Reason == condition.Reason && old.Message == condition.Message)
        {
            return before;
        }

        var dated = old?.Status == condition.Status ? condition with { LastTransitionTime = old.LastTransitionTime } : condition;
        return [.. before.Where(entry => entry.Type != condition.Type), dated];
    }

    private static MigrationState StateFor(MoveView view, MigrationState before)
    {
        var trace = view.Phase.Move.Trace;
        var kubevirt = KubeVirtPhase(view.Phase);
        return before with
        {
            StartTimestamp = before.StartTimestamp ?? trace.BeganAt,
            EndTimestamp = before.EndTimestamp ?? (MigrationPhases.IsFinal(kubevirt) ? view.Now : null),
            Completed = kubevirt == MigrationPhases.Succeeded ? true : before.Completed,
            Failed = kubevirt == MigrationPhases.Failed ? true : before.Failed,
            FailureReason = kubevirt == MigrationPhases.Failed ? before.FailureReason ?? FailureOf(view.Phase) : before.FailureReason,
            AbortStatus = AbortStatusOf(view.Phase) ?? before.AbortStatus,
            Mode = view.Phase is SourcePhase.Recovering ? "Paused" : trace.Postcopy ? "PostCopy" : trace.StreamStartedAt is null ? before.Mode : "PreCopy",
        };
    }

    /// <summary>It stays as it was first told, so it says what ended the move and not what is still being cleaned up.</summary>
    private static string FailureOf(SourcePhase phase) => phase switch
    {
        SourcePhase.Fencing { GuestGone: false } fencing => $"the guest stayed on {phase.Plan.Source}: {fencing.Reason.Text}",
        _ => phase.Describe(),
    };

    private static string? AbortStatusOf(SourcePhase phase) => phase switch
    {
        SourcePhase.TurningBack { Reason.Kind: TurnBackKind.Cancelled } => "Aborting",
        SourcePhase.Fencing { Reason.Kind: TurnBackKind.Cancelled } or SourcePhase.Aborted { Reason.Kind: TurnBackKind.Cancelled } => "Succeeded",
        _ => null,
    };

    /// <summary>QEMU's own count; in post-copy the guest is stopped by order before that begins.</summary>
    private static long? StoodMs(MoveTrace trace) => trace switch
    {
        { Postcopy: true, PausedAt: { } stopped, RunningAt: { } ran } => Milliseconds(stopped, ran),
        { QemuDowntimeMs: { } counted } => (long)Math.Round(counted),
        _ => null,
    };

    private static MigrationProgress ProgressFor(MoveView view, MigrationProgress? before)
    {
        var trace = view.Phase.Move.Trace;
        var hasDisks = trace.DisksStartedAt is not null;
        var memoryBytes = trace.StreamStartedAt is null && hasDisks ? view.MemoryBytes : trace.TransferredBytes + trace.RemainingBytes; // Still to come.
        var total = (double)memoryBytes + trace.DiskTotalBytes;
        var percent = view.Phase is SourcePhase.Completing or SourcePhase.Completed ? 100
            : total > 0 ? (int)((trace.TransferredBytes + trace.DiskCopiedBytes) / total * 99)
            : 0;
        return new()
        {
            Phase = GodwitPhase(view.Phase),
            Round = (int)Math.Min(trace.Rounds, int.MaxValue),
            DiskCopiedBytes = hasDisks ? trace.DiskCopiedBytes : null,
            DiskTotalBytes = hasDisks ? trace.DiskTotalBytes : null,
            TransferredBytes = Math.Max(view.WireBytes, before?.TransferredBytes ?? 0),
            RemainingBytes = trace.RemainingBytes,
            TotalBytes = view.MemoryBytes,
            ThroughputBytesPerSecond = (long)trace.BytesPerSecond,
            DirtyBytesPerSecond = (long)trace.DirtyBytesPerSecond,
            Percent = Math.Max(percent, before?.Percent ?? 0),
            EndEarliestTimestamp = view.Outlook is { } early ? view.Now + TimeSpan.FromSeconds(Math.Min(early.EndsInSeconds.Low, EndSecondsMax)) : null,
            EndLatestTimestamp = view.Outlook is { } late ? view.Now + TimeSpan.FromSeconds(Math.Min(late.EndsInSeconds.High, EndSecondsMax)) : null,
            SuccessChancePercent = view.Outlook?.SuccessChancePercent,
            UpdatedTimestamp = view.Now,
        };
    }

    /// <summary>Null while there is nothing to say: what was said before stands.</summary>
    private static ServiceMemberStatus? ServiceFor(SourcePhase phase) => ServiceMember.Of(phase) is { } member
        ? new() { Standing = member.Standing.ToString(), Reason = member.Reason is { Length: > 0 } reason ? reason : null }
        : null;

    /// <summary>The observer's part (what the network saw) stays as it is.</summary>
    private static MigrationMeasurement MeasurementFor(MoveView view, MigrationMeasurement? before)
    {
        var trace = view.Phase.Move.Trace;
        var seconds = ((trace.CompletedAt ?? view.Now) - (trace.StreamStartedAt ?? trace.BeganAt)).TotalSeconds;
        return (before ?? new()) with
        {
            TotalMs = trace.CompletedAt is { } completed ? Milliseconds(trace.BeganAt, completed) : before?.TotalMs,
            StreamMs = trace.QemuStreamMs > 0 ? (long)Math.Round(trace.QemuStreamMs) : before?.StreamMs,
            DowntimeMs = StoodMs(trace) ?? before?.DowntimeMs,
            PausedMs = trace.PausedAt is { } paused ? Milliseconds(paused, trace.RunningAt!.Value) : before?.PausedMs,
            PausedTimestamp = trace.PausedAt ?? before?.PausedTimestamp,
            RunningTimestamp = trace.RunningAt ?? before?.RunningTimestamp,
            Bytes = view.WireBytes + view.DiskBytes,
            BytesByKind = trace.DisksStartedAt is null ? before?.BytesByKind : (before?.BytesByKind ?? new()) with { Disk = view.DiskBytes },
            DisksMs = trace is { DisksStartedAt: { } began, DisksInStepAt: { } inStep } ? Milliseconds(began, inStep) : null,
            Transport = view.Transport,
            Rounds = (int)Math.Min(trace.Rounds, int.MaxValue),
            Termination = trace.EndedBy?.ToString(),
            ThroughputBytesPerSecond = seconds > 0 ? (long)(view.WireBytes / seconds) : null,
        };
    }

    private static long Milliseconds(DateTimeOffset from, DateTimeOffset to) => (long)Math.Max(0, Math.Round((to - from).TotalMilliseconds));
}
