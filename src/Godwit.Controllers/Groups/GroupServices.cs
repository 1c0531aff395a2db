using Godwit.Api.Groups.V1Alpha1;
using Godwit.Controllers.Migrations;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;

namespace Godwit.Controllers.Groups;

/// <summary>
/// A group whose guests are one service: what their sources say (<see cref="ServiceMemberStatus"/>) becomes what is decided for all
/// (<see cref="ServiceRecord"/>, which has the rules). The group controller is the record's only writer, and writes it with the version of the
/// group that it has read, so that of two controllers one fails and reads what the other wrote.
/// <code>
///   attempt 1: undecided ─▶ ReturnAll ── every move has ended, every guest runs where it was ─▶ attempt 2: undecided ─▶ ...
///                       └─▶ RunAll: the last word
/// </code>
/// <b>One attempt's record is never another's.</b> Each move names the attempt that it is part of, and a source that reads a record of a later one knows that its own was decided
/// "return", because no attempt begins before. Pure.
/// </summary>
internal static class GroupServices
{
    public static readonly ServicePatience Patience = new();

    public static bool IsService(GroupMigrationSpec spec) => spec.Promise == GroupPromises.OneService;

    /// <summary>What names this group and its attempt on the moves of its guests; null when each is a guest of its own.</summary>
    public static string? NameOf(GroupMigration group) => IsService(group.Spec) ? $"{group.Metadata.Name}/{group.Metadata.Uid}/{AttemptOf(group.Status.Service)}" : null;

    /// <summary>Counts from 1.</summary>
    public static int AttemptOf(GroupService? service) => service?.Attempt ?? 1;

    /// <summary>
    /// Whether all are to be moved once more: they returned, each is where it was, and nobody called it off. A guest that ended meanwhile is missed by the service wherever the others are.
    /// </summary>
    /// <param name="attemptsMax">Of all guests together.</param>
    public static bool IsRepeated(GroupService? service, IReadOnlyList<GroupMember> members, int attemptsMax, MigrationWorld world) =>
        IsReturning(service) && AttemptOf(service) < attemptsMax && members.All(member => member.Phase == GroupMemberPhases.Failed && HasReturned(member, world));

    /// <summary>The record of the attempt after this one.</summary>
    public static GroupService NextAttempt(GroupService? service, DateTimeOffset now) => new() { Attempt = AttemptOf(service) + 1, AttemptTimestamp = now };

    /// <summary>The record as it is to be written with these members.</summary>
    public static GroupService? Next(GroupMigration group, IReadOnlyList<GroupMember> members, MigrationWorld world)
    {
        if (!IsService(group.Spec) || members.Count == 0)
        {
            return group.Status.Service;
        }

        var record = ToRecord(group.Status.Service);
        return Write(group.Status.Service, record, record.Next([.. members.Select(member => StandingOf(member, world))], BeganAt(group, world.Now), Patience, world.Now), world.Now);
    }

    /// <summary>The record of a group that is cancelled: all return, unless all were ordered to run before.</summary>
    public static GroupService? Cancelled(GroupMigration group, DateTimeOffset now)
    {
        var record = ToRecord(group.Status.Service);
        return IsService(group.Spec) ? Write(group.Status.Service, record, record.Return("the group was deleted"), now) : group.Status.Service;
    }

    public static bool IsReturning(GroupService? service) => service?.Decision == GroupDecisions.ReturnAll;

    /// <summary>When the record is to be looked at again though nothing has changed; null: never.</summary>
    public static DateTimeOffset? DueAt(GroupMigration group, DateTimeOffset now) =>
        IsService(group.Spec) && group.Status.Phase == GroupPhases.Running ? ToRecord(group.Status.Service).DueAt(BeganAt(group, now), Patience) : null;

    /// <summary>From the first guest that stood still to the last that ran; null when one did not move.</summary>
    public static long? DowntimeMs(IEnumerable<MigrationMeasurement?> measured)
    {
        var all = measured.ToList();
        return all.Count > 0 && all.Min(each => each?.PausedTimestamp) is { } first && all.Max(each => each?.RunningTimestamp) is { } last
            ? Math.Max(0, (long)Math.Round((last - first).TotalMilliseconds))
            : null;
    }

    /// <summary>Whether a member's move is to begin now, so that it comes to its last rounds with the others (<see cref="ServiceStart"/>).</summary>
    public static bool IsDue(IReadOnlyList<GroupMember> members, int index, MigrationWorld world) =>
        ServiceStart.IsDue(TakesSeconds(members[index]), members.Where((_, other) => other != index).Select(member => Left(member, world)).OfType<ServiceMoveLeft>());

    /// <summary>All of its move, by what was forecast of it alone.</summary>
    private static Interval? TakesSeconds(GroupMember member) => member.Forecast?.TotalMs is { } total ? new Interval(total.Low, Math.Max(total.Low, total.High)) * 0.001 : null;

    /// <summary>Null when nothing is known of it.</summary>
    private static ServiceMoveLeft? Left(GroupMember member, MigrationWorld world)
    {
        if (StandingOf(member, world).Standing != ServiceStanding.Coming)
        {
            return new(Interval.Exactly(0), IsTold: true);
        }

        var progress = member.Migration is { } name ? world.Migrations.Find(member.Namespace, name)?.Status.Progress : null;
        if (progress is { EndEarliestTimestamp: { } earliest, EndLatestTimestamp: { } latest, UpdatedTimestamp: { } told } && latest >= earliest)
        {
            return new(new((earliest - told).TotalSeconds, (latest - told).TotalSeconds), IsTold: true); // All by its source's clock.
        }

        return TakesSeconds(member) is { } all ? new(all, IsTold: false) : null;
    }

    /// <summary>A move that was never made, or that has ended and was not called off; its guest runs where it was.</summary>
    private static bool HasReturned(GroupMember member, MigrationWorld world)
    {
        var move = member.Migration is { } name ? world.Migrations.Find(member.Namespace, name) : null;
        return (member.Migration is null || (move?.Status.Phase == MigrationPhases.Failed && move.Status.MigrationState?.AbortRequested != true))
            && world.Instances.Find(member.Namespace, member.Name) is { } vmi
            && vmi.Metadata.Uid == member.Uid
            && vmi.Status.NodeName == member.SourceNode;
    }

    private static DateTimeOffset BeganAt(GroupMigration group, DateTimeOffset now) => group.Status.Service?.AttemptTimestamp ?? group.Status.StartTimestamp ?? now;

    private static ServiceMember StandingOf(GroupMember member, MigrationWorld world)
    {
        switch (member.Phase)
        {
            case GroupMemberPhases.Moved:
                return new(ServiceStanding.Ready, "");
            case GroupMemberPhases.Failed or GroupMemberPhases.Gone or GroupMemberPhases.Refused:
                return new(ServiceStanding.Returns, $"{member.Name}: {member.Reason}");
        }

        var told = member.Migration is { } name ? world.Migrations.Find(member.Namespace, name)?.Status.Service : null;
        return told?.Standing switch
        {
            ServiceStandings.Gathered => new(ServiceStanding.Gathered, ""),
            ServiceStandings.Ready => new(ServiceStanding.Ready, ""),
            ServiceStandings.Returns => new(ServiceStanding.Returns, $"{member.Name}: {told.Reason}"),
            _ => new(ServiceStanding.Coming, ""),
        };
    }

    private static ServiceRecord ToRecord(GroupService? service) => new()
    {
        Decision = service?.Decision switch
        {
            GroupDecisions.RunAll => ServiceDecision.RunAll,
            GroupDecisions.ReturnAll => ServiceDecision.ReturnAll,
            _ => ServiceDecision.Undecided,
        },
        Reason = service?.Reason ?? "",
        SwitchoverOrderedAt = service?.SwitchoverTimestamp,
    };

    private static GroupService? Write(GroupService? before, ServiceRecord known, ServiceRecord next, DateTimeOffset now) => next == known ? before : new GroupService
    {
        Attempt = before?.Attempt,
        AttemptTimestamp = before?.AttemptTimestamp,
        SwitchoverTimestamp = next.SwitchoverOrderedAt,
        Decision = next.Decision is ServiceDecision.Undecided ? null : next.Decision.ToString(),
        Reason = next.Reason is { Length: > 0 } reason ? reason : null,
        DecisionTimestamp = next.Decision is ServiceDecision.Undecided ? null : now,
    };
}
