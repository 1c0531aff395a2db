using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Controllers.Migrations;

namespace Godwit.Controllers.Groups;

/// <summary>What is to be done for a group now: moves to make, notes of homes to write on guests, and then the status.</summary>
internal sealed record GroupStep(
    GroupMigrationStatus Status, IReadOnlyList<VirtualMachineInstanceMigration> Moves, IReadOnlyList<HomeNote> Homes);

/// <summary>The home that a guest's object is to name; null: none.</summary>
internal sealed record HomeNote(VirtualMachineInstance Vmi, string? Node);

/// <summary>
/// Carries a group's plan on. It looks at what the members' migration objects and guests are now, never at what happened:
/// <code>
/// Waiting ──▶ Moving ──▶ Moved
///    ▲ │         └─ failed: not before a pause, elsewhere if possible ─▶ Waiting, or Failed after AttemptsMax tries
///    └─┴─▶ Gone: the guest ended, or another move took it away
/// </code>
/// A try's migration object is made before the status says Moving, under a name that follows from group, guest and try: so
/// one that is made twice is made once, and one that is not there any more was cancelled by somebody. Guests that are one
/// service begin so that they arrive together, are decided for together, and after all have returned are tried together once more
/// (<see cref="GroupServices"/>). Pure.
/// </summary>
internal static class GroupProgress
{
    public const int AttemptsMaxDefault = 3;

    /// <summary>After the first failed try; twice as long after each further one.</summary>
    public static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(5);

    public static GroupStep Next(GroupMigration group, MigrationWorld world)
    {
        var homes = new List<HomeNote>();
        var members = group.Status.Members.Select(member => Look(group, member, world, homes)).ToList();
        var moves = new List<VirtualMachineInstanceMigration>();
        var service = GroupServices.Next(group, members, world);
        if (GroupServices.IsReturning(service))
        {
            members = [.. members.Select(member => member.Phase == GroupMemberPhases.Waiting ? member with { Phase = GroupMemberPhases.Failed, Reason = $"its service returns: {service!.Reason}" } : member)];
        }

        if (GroupServices.IsRepeated(service, members, AttemptsMax(group.Spec), world))
        {
            return new GroupStep(group.Status with { Members = [.. members.Select(member => Again(group.Spec, member, service!, world))], Service = GroupServices.NextAttempt(service, world.Now) }, [], homes);
        }

        for (var i = 0; i < members.Count; i++)
        {
            if (members[i].Phase == GroupMemberPhases.Waiting && MayBegin(group, members, i, world))
            {
                members[i] = members[i] with { Phase = GroupMemberPhases.Moving, Attempts = (members[i].Attempts ?? 0) + 1, NotBeforeTimestamp = null };
                members[i] = members[i] with { Migration = MoveName(group, members[i]) };
                moves.Add(MoveOf(group, members[i]));
            }
        }

        var status = group.Status with { Members = members, Service = service };
        if (members.Count(IsEnded) > group.Status.Members.Count(IsEnded))
        {
            status = Expect(status, world);
        }

        return new GroupStep(members.TrueForAll(IsEnded) ? End(group.Spec, status, world) : status, moves, homes);
    }

    /// <summary>What is to be written on guests that have arrived, whatever becomes of the group.</summary>
    public static IReadOnlyList<HomeNote> Homes(GroupMigration group, MigrationWorld world)
    {
        var homes = new List<HomeNote>();
        foreach (var member in group.Status.Members)
        {
            Look(group, member, world, homes);
        }

        return homes;
    }

    /// <summary>When the next try may begin that waits for its pause; null when none does.</summary>
    public static DateTimeOffset? NextTry(GroupMigrationStatus status) => status.Members.Min(member => member.NotBeforeTimestamp);

    private static bool IsEnded(GroupMember member) => GroupMemberPhases.IsFinal(member.Phase);

    /// <summary>
    /// Whether a member's turn has come: as many run at a time as the strategy says, of a mixed group the second part waits for the first, and of
    /// a service the shorter moves for the longer ones.
    /// </summary>
    private static bool MayBegin(GroupMigration group, List<GroupMember> members, int index, MigrationWorld world)
    {
        var status = group.Status;
        if (members[index].NotBeforeTimestamp > world.Now || (GroupServices.IsService(group.Spec) && !GroupServices.IsDue(members, index, world)))
        {
            return false;
        }

        var isSecond = status.Strategy == GroupStrategies.Mixed && members[index].Mode == MigrationModes.Postcopy;
        if (isSecond && members.Exists(member => member.Mode != MigrationModes.Postcopy && !IsEnded(member)))
        {
            return false;
        }

        var parallel = isSecond ? 1 : status.Forecasts.FirstOrDefault(forecast => forecast.Strategy == status.Strategy)?.Parallel ?? 1;
        return members.Count(member => member.Phase == GroupMemberPhases.Moving) < parallel;
    }

    private static GroupMember Look(GroupMigration group, GroupMember member, MigrationWorld world, List<HomeNote> homes)
    {
        var vmi = world.Instances.Find(member.Namespace, member.Name);
        if (vmi?.Metadata.Uid != member.Uid || VirtualMachineInstancePhases.IsFinal(vmi?.Status.Phase))
        {
            vmi = null;
        }

        var begun = member with { Phase = GroupMemberPhases.Moving, Attempts = (member.Attempts ?? 0) + 1 };
        if (member.Phase == GroupMemberPhases.Waiting && world.Migrations.Find(member.Namespace, MoveName(group, begun)) is { } made)
        {
            return LookAtMove(group, begun with { Migration = made.Metadata.Name, NotBeforeTimestamp = null }, vmi, world, homes); // Made, and then not written down.
        }

        return member.Phase switch
        {
            GroupMemberPhases.Waiting when vmi is null => member with { Phase = GroupMemberPhases.Gone, Reason = "it ended before its turn came" },
            GroupMemberPhases.Waiting when GuestPlace.NodeOf(vmi, world.Migrations.Items) is var elsewhere && elsewhere != member.SourceNode =>
                member with { Phase = GroupMemberPhases.Gone, Reason = $"another move took it to {elsewhere} before its turn came" },
            GroupMemberPhases.Moving => LookAtMove(group, member, vmi, world, homes),
            _ => member,
        };
    }

    private static GroupMember LookAtMove(GroupMigration group, GroupMember member, VirtualMachineInstance? vmi, MigrationWorld world, List<HomeNote> homes)
    {
        var move = world.Migrations.Find(member.Namespace, member.Migration!);
        var isThere = vmi is not null && GuestPlace.NodeOf(vmi, world.Migrations.Items) == member.TargetNode;
        if (move?.Status.Phase == MigrationPhases.Succeeded || (move is null && isThere))
        {
            Note(group, member, vmi, homes);
            var measured = move?.Status.Measurement;
            return member with { Phase = GroupMemberPhases.Moved, TotalMs = measured?.TotalMs, DowntimeMs = measured?.PausedMs ?? measured?.DowntimeMs };
        }

        if (move is null)
        {
            return vmi is null
                ? member with { Phase = GroupMemberPhases.Gone, Reason = "it ended while it moved" }
                : member with { Phase = GroupMemberPhases.Failed, Reason = $"its move {member.Migration} was deleted" };
        }

        return move.Status.Phase == MigrationPhases.Failed ? AfterFailure(group, member, move, vmi, world) : member;
    }

    private static GroupMember AfterFailure(
        GroupMigration group, GroupMember member, VirtualMachineInstanceMigration move, VirtualMachineInstance? vmi, MigrationWorld world)
    {
        var state = move.Status.MigrationState;
        var why = state?.FailureReason ?? "no reason was given";
        if (vmi is null)
        {
            return member with { Phase = GroupMemberPhases.Gone, Reason = $"it ended while it moved ({why})" };
        }

        if (GroupServices.IsService(group.Spec))
        {
            return member with { Phase = GroupMemberPhases.Failed, Reason = why };
        }

        var tried = member.Attempts ?? 1;
        var isLast = tried >= AttemptsMax(group.Spec) || state?.AbortRequested == true;
        if (isLast)
        {
            return member with { Phase = GroupMemberPhases.Failed, Reason = tried == 1 ? why : $"{tried} tries failed, the last one to {member.TargetNode}: {why}" };
        }

        var next = GroupPlanner.Elsewhere(group.Spec, member, vmi, world);
        return member with
        {
            Phase = GroupMemberPhases.Waiting,
            TargetNode = next,
            Reason = $"try {tried} to {member.TargetNode} failed: {why}; next to {next}",
            NotBeforeTimestamp = world.Now + (RetryPause * Math.Pow(2, tried - 1)),
        };
    }

    /// <summary>A guest of a service that has returned with all others: all go once more, where they were to go if that is possible still.</summary>
    private static GroupMember Again(GroupMigrationSpec spec, GroupMember member, GroupService returned, MigrationWorld world)
    {
        var attempt = GroupServices.AttemptOf(returned);
        var target = GroupPlanner.Again(spec, member, world.Instances.Find(member.Namespace, member.Name)!, world);
        return member with
        {
            Phase = GroupMemberPhases.Waiting,
            Migration = null,
            TargetNode = target,
            Reason = $"attempt {attempt} returned ({returned.Reason}); next to {target}",
            NotBeforeTimestamp = world.Now + (RetryPause * Math.Pow(2, attempt - 1)),
        };
    }

    /// <summary>The first home is the home: a guest that is driven on from where it was driven to goes back to where it began.</summary>
    private static void Note(GroupMigration group, GroupMember member, VirtualMachineInstance? vmi, List<HomeNote> homes)
    {
        var home = vmi?.Metadata.Annotations.GetValueOrDefault(AnnotationNames.HomeNode);
        if (vmi is not null && home == member.TargetNode)
        {
            homes.Add(new HomeNote(vmi, null));
        }
        else if (vmi is not null && home is null && group.Spec.KeepHome == true)
        {
            homes.Add(new HomeNote(vmi, member.SourceNode));
        }
    }

    private static int AttemptsMax(GroupMigrationSpec spec) => spec.AttemptsMax ?? AttemptsMaxDefault;

    private static string MoveName(GroupMigration group, GroupMember member)
    {
        var uid = group.Metadata.Uid ?? "";
        return $"{member.Name}-{uid[..Math.Min(8, uid.Length)]}-{member.Attempts}";
    }

    private static VirtualMachineInstanceMigration MoveOf(GroupMigration group, GroupMember member) => new()
    {
        Metadata = new ObjectMeta
        {
            Namespace = member.Namespace,
            Name = member.Migration!,
            Labels = new Dictionary<string, string> { [LabelNames.Group] = group.Metadata.Name },
            Annotations = AnnotationsOf(group, member),
        },
        Spec = new VirtualMachineInstanceMigrationSpec
        {
            VmiName = member.Name,
            AddedNodeSelector = new Dictionary<string, string> { [LabelNames.Hostname] = member.TargetNode! },
            Priority = group.Spec.KeepHome == true || !string.IsNullOrEmpty(group.Spec.Selector?.HomeNode) ? MigrationPriorities.SystemMaintenance : null,
        },
    };

    private static Dictionary<string, string> AnnotationsOf(GroupMigration group, GroupMember member)
    {
        var annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [AnnotationNames.Mode] = member.Mode ?? MigrationModes.Auto };
        if (GroupServices.NameOf(group) is { } service)
        {
            annotations[AnnotationNames.Service] = service;
        }

        return annotations;
    }

    /// <summary>The expected end anew, from those that are left.</summary>
    private static GroupMigrationStatus Expect(GroupMigrationStatus status, MigrationWorld world)
    {
        var parallel = status.Forecasts.FirstOrDefault(forecast => forecast.Strategy == status.Strategy)?.Parallel ?? 1;
        var left = status.Members.Where(member => !IsEnded(member)).ToList();
        DateTimeOffset End(Func<ForecastRange, long> end) => world.Now + TimeSpan.FromMilliseconds(MoveSchedule.TotalMs(
            left.Select(member => new ScheduledMove(member.SourceNode!, member.TargetNode!, member.Forecast?.TotalMs is { } total ? end(total) : 0)), parallel, world.Limits));
        return status with { EndEarliestTimestamp = End(range => range.Low), EndLatestTimestamp = End(range => range.High) };
    }

    private static GroupMigrationStatus End(GroupMigrationSpec spec, GroupMigrationStatus status, MigrationWorld world)
    {
        MigrationMeasurement? Measured(GroupMember member) => member.Migration is { } name ? world.Migrations.Find(member.Namespace, name)?.Status.Measurement : null;
        int Count(string phase) => status.Members.Count(member => member.Phase == phase);
        var left = Count(GroupMemberPhases.Refused) + Count(GroupMemberPhases.Failed);
        var bytes = status.Members.Sum(member => Measured(member)?.Bytes ?? 0);
        return status with
        {
            Phase = left == 0 ? GroupPhases.Succeeded : GroupPhases.Failed,
            Reason = left == 0 ? status.Reason : $"{left} of {status.Members.Count} guests did not move: {string.Join("; ", status.Members.Where(member => member.Phase is GroupMemberPhases.Refused or GroupMemberPhases.Failed).Select(member => $"{member.Name}: {member.Reason}"))}",
            EndTimestamp = world.Now,
            Measurement = new GroupMeasurement
            {
                TotalMs = status.StartTimestamp is { } start ? (long)(world.Now - start).TotalMilliseconds : null,
                DowntimeMs = GroupServices.IsService(spec) ? GroupServices.DowntimeMs(status.Members.Select(Measured)) : status.Members.Max(member => member.DowntimeMs),
                Bytes = bytes,
                Moved = Count(GroupMemberPhases.Moved),
                Retries = GroupServices.IsService(spec) ? GroupServices.AttemptOf(status.Service) - 1 : status.Members.Sum(member => Math.Max(0, (member.Attempts ?? 0) - 1)),
            },
        };
    }
}
