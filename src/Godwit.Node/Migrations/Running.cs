using Godwit.Api.Core.V1;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Machines;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Protocol;

namespace Godwit.Node.Migrations;

/// <summary>A move that runs, and the object that is told about it: after a restart the object may be found later than the move.</summary>
internal sealed class Running(MoveParts parts, VirtualMachineInstanceMigration? migration)
{
    private static readonly TimeSpan AttachmentLook = TimeSpan.FromMilliseconds(100);

    private readonly Lock gate = new();
    private volatile MoveReporter? reporter = migration is null ? null : new(parts, migration);
    private readonly bool isTakenUp = migration is null;
    private Task reporting = Task.CompletedTask;
    private OutgoingMove? move;
    private MoveForecast? forecast;
    private MigrationPolicySpec? policy;
    private MoveTerms? wanted;
    private MoveTerms? obeyed;
    private string? unreadable;
    private volatile TermsNote? note;

    public OutgoingMove Move => move ?? throw new InvalidOperationException("The move has not begun.");

    public MoveForecast? Forecast => forecast;

    /// <summary>As it was told last; null before that.</summary>
    public MigrationProgress? Progress => reporter?.Newest.Progress;

    /// <summary>Completes when nothing of it runs any more, with the move or with the agent; never fails.</summary>
    public Task Ended { get; set; } = Task.CompletedTask;

    public void Begin(OutgoingMove begun) => move = begun;

    /// <summary>Runs the move; returns when it has ended.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        StartReporting(stopping);
        await Move.RunAsync(stopping);
        Publish(Move.Phase);
    }

    /// <summary>
    /// Returns when the last state has been told, or nobody is there to be told. A move that an earlier agent began may
    /// have ended before its object is found.
    /// </summary>
    public async Task ReportedAsync(CancellationToken stopping)
    {
        while (reporter is null)
        {
            var preparation = Move.Route.Preparation;
            if (parts.Migrations.IsSynced && parts.Migrations.Current.Find(new(preparation.GuestNamespace, preparation.MigrationName)) is null)
            {
                return;
            }

            await Task.Delay(AttachmentLook, parts.Time, stopping);
        }

        await reporting.WaitAsync(stopping);
    }

    /// <summary>The object of a move that was taken up from the journal.</summary>
    public void Attach(MoveParts services, VirtualMachineInstanceMigration found, CancellationToken stopping)
    {
        lock (gate)
        {
            if (reporter is not null)
            {
                return;
            }

            var attached = new MoveReporter(services, found);
            reporting = attached.RunAsync(stopping);
            reporter = attached;
        }

        Publish(Move.Phase);
    }

    /// <summary>Compares what the policy and the object ask for now with what the move was told last, and tells it. A policy that is gone is remembered.</summary>
    public void Heed(VirtualMachineInstanceMigration asked)
    {
        var name = asked.Status.MigrationState?.MigrationPolicyName;
        policy = string.IsNullOrEmpty(name) ? new() : parts.Policies.Current.Find(new("", name))?.Spec ?? policy;
        if (policy is null || parts.Machines.Find(Move.Route.Machine) is not { } machine)
        {
            return;
        }

        var (wished, refusal) = MoveOverrides.Apply(policy, asked.Metadata.Annotations);
        if (refusal is not null)
        {
            if (Interlocked.Exchange(ref unreadable, refusal) != refusal)
            {
                Note(asked, new(TermsNote.Refused, $"what was asked for before holds: {refusal}"));
            }

            return;
        }

        unreadable = null;
        var plan = Move.Phase.Plan;
        var next = MoveTerms.Of(wished, plan, machine.Spec.MemoryBytes);

        // One that an earlier agent began has forgotten all but its bandwidth: the rest is taken as it is found.
        obeyed ??= next with { Budget = isTakenUp ? next.Budget with { BandwidthBytesPerSecond = plan.BandwidthBytesPerSecond } : MoveBudget.Of(plan) };
        if (next == (wanted ?? obeyed))
        {
            return;
        }

        wanted = next;
        Move.Change(next.Budget, phase =>
        {
            var before = Interlocked.Exchange(ref obeyed, next);
            if (TermsNote.Between(before, next, phase) is { } made)
            {
                Note(asked, made);
            }
        });
    }

    public void Expect(MoveForecast made)
    {
        forecast = made;
        Move.Expect(made.Dirty);
        Publish(Move.Phase);
    }

    public void Changed(SourcePhase phase)
    {
        if (move is not null)
        {
            Publish(phase);
        }
    }

    private void Note(VirtualMachineInstanceMigration asked, TermsNote made)
    {
        note = made;
        parts.Events.Record(asked, made.Reason == TermsNote.Refused ? EventTypes.Warning : EventTypes.Normal, $"Budget{made.Reason}", made.Message);
        Publish(Move.Phase);
    }

    private void Publish(SourcePhase phase)
    {
        var memoryBytes = parts.Machines.Find(Move.Route.Machine) is { } machine ? machine.Spec.MemoryBytes : reporter?.Newest.Progress?.TotalBytes ?? 0;
        var view = new MoveView(phase, Move.WireBytes, memoryBytes, forecast?.Chosen, parts.Time.GetUtcNow())
        {
            HeldAt = Move.HeldAt,
            Terms = note,
            Outlook = Outlook.Of(phase, forecast?.Basis, parts.Time.GetUtcNow()),
            DiskBytes = Move.DiskBytes,
            Transport = Move.Route.Preparation.Stream.Direct ? MigrationTransports.Direct : MigrationTransports.Tls,
        };
        reporter?.Publish(view, last: phase.IsEnd);
    }

    private void StartReporting(CancellationToken stopping)
    {
        if (reporter is { } present)
        {
            reporting = present.RunAsync(stopping);
        }
    }
}
