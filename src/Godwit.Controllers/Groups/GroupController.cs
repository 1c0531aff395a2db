using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Controllers.Migrations;

namespace Godwit.Controllers.Groups;

/// <summary>
/// Moves several guests by one plan. First the plan: who goes where (<see cref="GroupPlanner"/>), what each move would take,
/// asked of the guests' nodes by Forecast objects, and in which order (<see cref="GroupForecasts"/>). Then its execution
/// (<see cref="GroupProgress"/>), by one VirtualMachineInstanceMigration for each guest, which wait in the cluster's queue
/// like any other. It never touches a guest: that a move is safe is the matter of that move alone.
/// <para>A finalizer keeps the object of a group that runs until every move it has begun has ended, so that deleting it is cancel.</para>
/// </summary>
internal sealed class GroupController(ClusterView cluster, MigrationLimits limits, TimeProvider clock, ILogger logger) : Controller("group", clock, logger)
{
    /// <summary>Ended groups are deleted after so long; plans that nobody carried out, after <see cref="PlanKeptFor"/>.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromHours(24);

    public static readonly TimeSpan PlanKeptFor = TimeSpan.FromHours(1);

    /// <summary>Nodes measure one guest after the other; one that has not answered in its time is planned for without.</summary>
    private static readonly TimeSpan MeasuringMin = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan MeasuringForEach = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan MeasuringMax = TimeSpan.FromMinutes(2);

    private readonly ResourceClient<GroupMigration> groups = cluster.ClientOf<GroupMigration>();
    private readonly ResourceClient<VirtualMachineInstanceMigration> migrations = cluster.ClientOf<VirtualMachineInstanceMigration>();
    private readonly ResourceClient<VirtualMachineInstance> instances = cluster.ClientOf<VirtualMachineInstance>();
    private readonly ResourceClient<Forecast> forecasts = cluster.ClientOf<Forecast>();

    protected override void Subscribe()
    {
        cluster.Groups.Subscribe(change => Enqueue(change.Key));
        cluster.Migrations.Subscribe(change => EnqueueGroupOf((change.After ?? change.Before)!));
        cluster.Forecasts.Subscribe(change => EnqueueGroupOf((change.After ?? change.Before)!));
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.Groups.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.Groups.Current.Find(key) is not { } group)
        {
            return NextLook.OnChange;
        }

        if (group.Metadata.DeletionTimestamp is not null)
        {
            return await CancelAsync(group, stopping);
        }

        return group.Status.Phase switch
        {
            null or "" => await BeginAsync(group, stopping),
            GroupPhases.Planning => await PlanAsync(group, stopping),
            GroupPhases.Running => await CarryOnAsync(group, stopping),
            _ => await KeepAsync(group, stopping),
        };
    }

    private void EnqueueGroupOf(Resource resource)
    {
        if (resource.Metadata.Labels.GetValueOrDefault(LabelNames.Group) is { Length: > 0 } name)
        {
            Enqueue(new ResourceKey("", name));
        }
    }

    private async Task<NextLook> BeginAsync(GroupMigration group, CancellationToken stopping)
    {
        if (!group.Metadata.Finalizers.Contains(FinalizerNames.Group))
        {
            group = await WriteFinalizersAsync(group, [.. group.Metadata.Finalizers, FinalizerNames.Group], stopping);
        }

        await WriteAsync(group, GroupPlanner.Begin(group.Spec, MigrationWorld.Of(cluster, limits, Clock.GetUtcNow())), stopping);
        return NextLook.OnChange;
    }

    private async Task<NextLook> PlanAsync(GroupMigration group, CancellationToken stopping)
    {
        var waiting = group.Status.Members.Where(member => member.Phase == GroupMemberPhases.Waiting).ToList();
        var answers = new List<Forecast>();
        foreach (var member in waiting)
        {
            answers.Add(cluster.Forecasts.Current.Find(QuestionKey(group, member)) ?? await AskAsync(group, member, stopping));
        }

        var now = Clock.GetUtcNow();
        var bound = TimeSpan.FromTicks(Math.Min(MeasuringMax.Ticks, (MeasuringMin + (MeasuringForEach * waiting.Count)).Ticks));
        var left = bound - (now - (group.Metadata.CreationTimestamp ?? now));
        if (left > TimeSpan.Zero && answers.Exists(answer => !ForecastPhases.IsFinal(answer.Status.Phase)))
        {
            return NextLook.After(left);
        }

        var known = waiting.Zip(answers, (member, answer) => MemberForecast.Of(member, cluster.Instances.Current.Find(member.Namespace, member.Name), answer)).ToList();
        var planned = GroupForecasts.Plan(group.Spec, group.Status, known, limits, now);
        await WriteAsync(group, Decide(group.Spec, planned, now), stopping);
        foreach (var answer in answers)
        {
            var exactly = new DeleteOptions { Preconditions = new Preconditions { Uid = answer.Metadata.Uid } };
            await forecasts.TryDeleteAsync(ResourceKey.Of(answer), exactly, stopping);
        }

        return NextLook.OnChange;
    }

    private static GroupMigrationStatus Decide(GroupMigrationSpec spec, GroupMigrationStatus planned, DateTimeOffset now)
    {
        if (spec.PlanOnly == true)
        {
            return planned with { Phase = GroupPhases.Planned };
        }

        return GroupForecasts.IsRefused(planned)
            ? planned with { Phase = GroupPhases.Failed, EndTimestamp = now }
            : planned with { Phase = GroupPhases.Running, StartTimestamp = now };
    }

    private async Task<NextLook> CarryOnAsync(GroupMigration group, CancellationToken stopping)
    {
        var world = MigrationWorld.Of(cluster, limits, Clock.GetUtcNow());
        var step = GroupProgress.Next(group, world);
        foreach (var home in step.Homes)
        {
            await WriteHomeAsync(home, stopping);
        }

        foreach (var move in step.Moves)
        {
            await MakeAsync(move, stopping);
        }

        var written = await WriteAsync(group, step.Status, stopping);
        if (GroupServices.AttemptOf(written.Status.Service) > GroupServices.AttemptOf(group.Status.Service))
        {
            var words = $"attempt {GroupServices.AttemptOf(group.Status.Service)}: all guests stayed where they were ({group.Status.Service?.Reason}); all are moved once more";
            cluster.Events.Record(written, EventTypes.Warning, "GroupReturned", words);
        }

        if (GroupPhases.IsFinal(written.Status.Phase))
        {
            var failed = written.Status.Phase == GroupPhases.Failed;
            var words = $"{written.Status.Measurement?.Moved ?? 0} of {written.Status.Members.Count} guests moved{(failed ? $": {written.Status.Reason}" : "")}";
            cluster.Events.Record(written, failed ? EventTypes.Warning : EventTypes.Normal, $"Group{written.Status.Phase}", words);
            return NextLook.After(KeptFor);
        }

        // By the time that the step was planned at: a try that was a moment too early must not be taken for one that waits for others.
        DateTimeOffset?[] due = [GroupProgress.NextTry(step.Status), GroupServices.DueAt(written, world.Now)];
        return due.Min() is { } next && next > world.Now ? NextLook.After(next - world.Now) : NextLook.After(TimeSpan.FromMinutes(1));
    }

    /// <summary>Made twice is made once: its name follows from group, guest and try.</summary>
    private async Task MakeAsync(VirtualMachineInstanceMigration move, CancellationToken stopping)
    {
        try
        {
            cluster.Migrations.Observe(await migrations.CreateAsync(move, stopping));
        }
        catch (ApiException error) when (error.IsAlreadyExists)
        {
            cluster.Migrations.Observe(await migrations.GetAsync(ResourceKey.Of(move), stopping));
        }
    }

    private async Task WriteHomeAsync(HomeNote home, CancellationToken stopping)
    {
        var annotations = new Dictionary<string, string>(home.Vmi.Metadata.Annotations, StringComparer.Ordinal);
        annotations.Remove(AnnotationNames.HomeNode);
        if (home.Node is not null)
        {
            annotations[AnnotationNames.HomeNode] = home.Node;
        }

        var noted = home.Vmi with { Metadata = home.Vmi.Metadata with { Annotations = annotations } };
        cluster.Instances.Observe(await instances.ChangeAsync(home.Vmi, noted, stopping));
    }

    private async Task<NextLook> CancelAsync(GroupMigration group, CancellationToken stopping)
    {
        if (group.Status.Phase == GroupPhases.Running)
        {
            group = await WriteAsync(group, group.Status with { Service = GroupServices.Cancelled(group, Clock.GetUtcNow()) }, stopping);
        }

        var underWay = cluster.Migrations.Current.Items
            .Where(move => move.Metadata.Labels.GetValueOrDefault(LabelNames.Group) == group.Metadata.Name && !MigrationPhases.IsFinal(move.Status.Phase))
            .ToList();
        foreach (var move in underWay.Where(move => move.Metadata.DeletionTimestamp is null))
        {
            var exactly = new DeleteOptions { Preconditions = new Preconditions { Uid = move.Metadata.Uid } };
            await migrations.TryDeleteAsync(ResourceKey.Of(move), exactly, stopping);
        }

        if (underWay.Count == 0 && group.Metadata.Finalizers.Contains(FinalizerNames.Group))
        {
            foreach (var home in group.Status.Phase == GroupPhases.Running ? GroupProgress.Homes(group, MigrationWorld.Of(cluster, limits, Clock.GetUtcNow())) : [])
            {
                await WriteHomeAsync(home, stopping);
            }

            await WriteFinalizersAsync(group, [.. group.Metadata.Finalizers.Where(name => name != FinalizerNames.Group)], stopping);
        }

        return NextLook.OnChange;
    }

    /// <summary>An ended group is kept for people to look at, and then deleted.</summary>
    private async Task<NextLook> KeepAsync(GroupMigration group, CancellationToken stopping)
    {
        if (group.Metadata.Finalizers.Contains(FinalizerNames.Group))
        {
            group = await WriteFinalizersAsync(group, [.. group.Metadata.Finalizers.Where(name => name != FinalizerNames.Group)], stopping);
        }

        var now = Clock.GetUtcNow();
        var kept = group.Status.Phase == GroupPhases.Planned ? PlanKeptFor : KeptFor;
        var left = kept - (now - (group.Status.EndTimestamp ?? group.Metadata.CreationTimestamp ?? now));
        if (left > TimeSpan.Zero)
        {
            return NextLook.After(left);
        }

        await groups.TryDeleteAsync(ResourceKey.Of(group), new DeleteOptions { Preconditions = new Preconditions { Uid = group.Metadata.Uid } }, stopping);
        return NextLook.OnChange;
    }

    private static ResourceKey QuestionKey(GroupMigration group, GroupMember member) => new(member.Namespace, $"{member.Name}-{group.Metadata.Uid}");

    private async Task<Forecast> AskAsync(GroupMigration group, GroupMember member, CancellationToken stopping)
    {
        var key = QuestionKey(group, member);
        var question = new Forecast
        {
            Metadata = new ObjectMeta { Namespace = key.Namespace, Name = key.Name, Labels = new Dictionary<string, string> { [LabelNames.Group] = group.Metadata.Name } },
            Spec = new ForecastSpec { VmiName = member.Name, TargetNode = member.TargetNode },
        };
        try
        {
            return cluster.Forecasts.Observe(await forecasts.CreateAsync(question, stopping));
        }
        catch (ApiException error) when (error.IsAlreadyExists)
        {
            return cluster.Forecasts.Observe(await forecasts.GetAsync(key, stopping));
        }
    }

    private async Task<GroupMigration> WriteAsync(GroupMigration group, GroupMigrationStatus status, CancellationToken stopping) =>
        cluster.Groups.Observe(await groups.ChangeStatusAsync(group, group with { Status = status }, stopping));

    private async Task<GroupMigration> WriteFinalizersAsync(GroupMigration group, IReadOnlyList<string> finalizers, CancellationToken stopping) =>
        cluster.Groups.Observe(await groups.ChangeAsync(group, group with { Metadata = group.Metadata with { Finalizers = finalizers } }, stopping));
}
