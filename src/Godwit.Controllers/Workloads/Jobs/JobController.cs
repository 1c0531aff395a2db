using Godwit.Api.Batch.V1;

namespace Godwit.Controllers.Workloads.Jobs;

/// <summary>Carries out what <see cref="JobPlanner"/> decides, status first: see <see cref="JobTracking"/> for why.</summary>
internal sealed class JobController(ClusterView cluster, PodKeeper keeper, TimeProvider clock, ILogger logger) : Controller("job", clock, logger)
{
    private readonly ResourceClient<Job> jobs = cluster.ClientOf<Job>();
    private readonly ResourceClient<Pod> pods = cluster.ClientOf<Pod>();

    protected override int Workers => 4;

    protected override void Subscribe()
    {
        cluster.Jobs.Subscribe(change => Enqueue(change.Key));
        cluster.Pods.Subscribe(change =>
        {
            PodSignals.Tell(change, cluster.Jobs, job => job.Spec.Selector ?? new LabelSelectorSpec(), Enqueue);
            if (change.After is { } pod && JobTracking.IsTracked(pod))
            {
                TellNamed(pod);
            }
        });
    }

    /// <summary>Jobs, and what tracked pods say whose they are: a job may be gone and its pods wait for somebody to let go of them.</summary>
    protected override IEnumerable<ResourceKey> AllKeys() =>
        cluster.Jobs.Current.Keys.Concat(cluster.Pods.Current.Items.Where(JobTracking.IsTracked).Select(NamedBy).OfType<ResourceKey>()).Distinct();

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        var job = cluster.Jobs.Current.Find(key);
        await LetGoOfStrangersAsync(key, job, stopping);
        if (job is null || job.Spec.ManagedBy is not (null or "" or JobNames.ManagedHere))
        {
            return NextLook.OnChange;
        }

        var plan = JobPlanner.For(job, await PodsOfAsync(job, stopping), Clock.GetUtcNow());
        if (plan.IsExpired)
        {
            var options = new DeleteOptions { PropagationPolicy = PropagationPolicies.Background, Preconditions = new Preconditions { Uid = job.Metadata.Uid } };
            await jobs.TryDeleteAsync(key, options, stopping);
            return NextLook.OnChange;
        }

        cluster.Jobs.Observe(await jobs.ChangeStatusAsync(job, job with { Status = plan.Status }, stopping));
        Tell(job, plan.Status);
        await ActAsync(job, plan, stopping);
        return plan.Next is { } rest ? NextLook.After(rest) : NextLook.OnChange;
    }

    private async Task ActAsync(Job job, JobPlan plan, CancellationToken stopping)
    {
        foreach (var pod in plan.Untrack)
        {
            await ChangeAsync(pod, Untracked, stopping);
        }

        foreach (var pod in plan.Adopt)
        {
            await ChangeAsync(pod, metadata => metadata with { OwnerReferences = [.. metadata.OwnerReferences, PodTemplates.ReferenceTo(job)], Finalizers = [.. Untracked(metadata).Finalizers, JobNames.TrackingFinalizer] }, stopping);
        }

        foreach (var pod in plan.Release)
        {
            await ChangeAsync(pod, metadata => Untracked(metadata) with { OwnerReferences = [.. metadata.OwnerReferences.Where(each => each.Uid != job.Metadata.Uid)] }, stopping);
        }

        foreach (var pod in plan.Withdraw)
        {
            await ChangeAsync(pod, Untracked, stopping);
            await keeper.DeleteAsync(pod, job, stopping);
        }

        foreach (var pod in plan.Stop)
        {
            await keeper.DeleteAsync(pod, job, stopping);
        }

        var indexes = new Queue<int?>(plan.Create);
        await keeper.CreateManyAsync(plan.Create.Count, () => JobPods.Make(job, indexes.Dequeue()), job, stopping);
    }

    /// <summary>
    /// The pods of the job's namespace. A pod that waits to be counted and that the cache does not show is asked for at the server: the
    /// cache may have been filled before that pod was made, and counting it then would count it twice.
    /// </summary>
    private async Task<IReadOnlyList<Pod>> PodsOfAsync(Job job, CancellationToken stopping)
    {
        var known = keeper.PodsIn(job.Metadata.Namespace);
        var uids = known.Select(pod => pod.Metadata.Uid).ToHashSet(StringComparer.Ordinal);
        var listed = job.Status.UncountedTerminatedPods;
        if (listed is null || listed.Succeeded.Concat(listed.Failed).All(uids.Contains))
        {
            return known;
        }

        var stored = await pods.ListAsync(new ListOptions { Namespace = job.Metadata.Namespace }, stopping);
        return [.. known, .. stored.Items.Where(pod => !uids.Contains(pod.Metadata.Uid))];
    }

    /// <summary>Tracked pods of a job that is no more, or that were made free of one while it goes: nobody will count them.</summary>
    private async Task LetGoOfStrangersAsync(ResourceKey key, Job? job, CancellationToken stopping)
    {
        var strangers = cluster.Pods.Current.Items
            .Where(pod => pod.Metadata.Namespace == key.Namespace && JobTracking.IsTracked(pod) && NamedBy(pod) == key)
            .Where(pod => PodFacts.ControllerOf(pod) is { } owner ? owner.Uid != job?.Metadata.Uid : job is null || job.Metadata.DeletionTimestamp is not null)
            .ToList();
        if (strangers.Count == 0)
        {
            return;
        }

        var stored = job ?? await jobs.FindAsync(key, stopping); // The cache may be behind.
        foreach (var pod in strangers.Where(pod => PodFacts.ControllerOf(pod)?.Uid is not { } uid || uid != stored?.Metadata.Uid))
        {
            await ChangeAsync(pod, Untracked, stopping);
        }
    }

    private async Task ChangeAsync(Pod pod, Func<ObjectMeta, ObjectMeta> change, CancellationToken stopping)
    {
        // The keeper may have marked it as being deleted: what is compared is what the server has.
        var stored = cluster.Pods.Current.Find(ResourceKey.Of(pod)) ?? pod;
        if (stored.Metadata.Uid != pod.Metadata.Uid)
        {
            return;
        }

        try
        {
            cluster.Pods.Observe(await pods.ChangeAsync(stored, stored with { Metadata = change(stored.Metadata) }, stopping));
        }
        catch (ApiException gone) when (gone.IsNotFound)
        {
            // Somebody took its last finalizer off before us.
        }
    }

    private void Tell(Job job, JobStatus status)
    {
        foreach (var condition in status.Conditions.Where(each => each.Type is JobNames.Complete or JobNames.Failed or JobNames.Suspended))
        {
            if (JobPlanner.Find(job.Status, condition.Type)?.Status != condition.Status)
            {
                var (severity, reason, message) = condition.Type switch
                {
                    JobNames.Complete => (EventTypes.Normal, "Completed", "Job completed"),
                    JobNames.Failed => (EventTypes.Warning, condition.Reason ?? "", condition.Message ?? ""),
                    _ => (EventTypes.Normal, condition.Status == ConditionStatuses.True ? "Suspended" : "Resumed", condition.Message ?? ""),
                };
                cluster.Events.Record(job, severity, reason, message);
            }
        }
    }

    private void TellNamed(Pod pod)
    {
        if (NamedBy(pod) is { } key)
        {
            Enqueue(key);
        }
    }

    private static ResourceKey? NamedBy(Pod pod) => PodFacts.ControllerOf(pod) is { } owner
        ? owner.Kind == Job.Type.Kind && owner.ApiVersion == Job.Type.ApiVersion ? new ResourceKey(pod.Metadata.Namespace, owner.Name) : null
        : pod.Metadata.Labels.TryGetValue(JobNames.JobNameLabel, out var name) ? new ResourceKey(pod.Metadata.Namespace, name) : null;

    private static ObjectMeta Untracked(ObjectMeta metadata) => metadata with { Finalizers = [.. metadata.Finalizers.Where(each => each != JobNames.TrackingFinalizer)] };
}
