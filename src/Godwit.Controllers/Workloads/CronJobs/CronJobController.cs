using Godwit.Api.Batch.V1;
using Godwit.Controllers.Workloads.Jobs;

namespace Godwit.Controllers.Workloads.CronJobs;

/// <summary>Carries out what <see cref="CronJobPlanner"/> decides: the job first, the status last, because a start without a job would never be made up for.</summary>
internal sealed class CronJobController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller("cronjob", clock, logger)
{
    private readonly ResourceClient<CronJob> crons = cluster.ClientOf<CronJob>();
    private readonly ResourceClient<Job> jobs = cluster.ClientOf<Job>();

    protected override int Workers => 4;

    protected override void Subscribe()
    {
        cluster.CronJobs.Subscribe(change => Enqueue(change.Key));
        cluster.Jobs.Subscribe(change =>
        {
            PodSignals.TellOwner<CronJob>(change.Before, Enqueue);
            PodSignals.TellOwner<CronJob>(change.After, Enqueue);
        });
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.CronJobs.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.CronJobs.Current.Find(key) is not { } cron)
        {
            return NextLook.OnChange;
        }

        var plan = CronJobPlanner.For(cron, await JobsOfAsync(cron, stopping), Clock.GetUtcNow());
        foreach (var remark in plan.Remarks)
        {
            cluster.Events.Record(cron, remark.Severity, remark.Reason, remark.Message);
        }

        foreach (var job in plan.Expired.Concat(plan.Replaced))
        {
            var options = new DeleteOptions { PropagationPolicy = PropagationPolicies.Background, Preconditions = new Preconditions { Uid = job.Metadata.Uid } };
            if (await jobs.TryDeleteAsync(ResourceKey.Of(job), options, stopping))
            {
                cluster.Events.Record(cron, EventTypes.Normal, "SuccessfulDelete", $"Deleted job {job.Metadata.Name}");
            }
        }

        var status = plan.Status;
        if (plan.Create is { } wanted && await CreateAsync(cron, wanted, stopping) is { } made && status.Active.All(each => each.Uid != made.Metadata.Uid))
        {
            status = status with { Active = [.. status.Active, CronJobPlanner.ReferenceTo(made)] };
        }

        cluster.CronJobs.Observe(await crons.ChangeStatusAsync(cron, cron with { Status = status }, stopping));
        return plan.Next is { } rest ? NextLook.After(rest) : NextLook.OnChange;
    }

    /// <summary>Its jobs. An active one that the cache does not show is asked for at the server: the two caches are not of the same moment, and one that runs must not be forgotten.</summary>
    private async Task<IReadOnlyList<Job>> JobsOfAsync(CronJob cron, CancellationToken stopping)
    {
        var known = cluster.Jobs.Current.ControlledBy(cron.Metadata.Uid).ToList();
        foreach (var active in cron.Status.Active.Where(each => each.Name is not null && known.All(job => job.Metadata.Uid != each.Uid)).ToList())
        {
            if (await jobs.FindAsync(new ResourceKey(cron.Metadata.Namespace, active.Name!), stopping) is { } there && there.Metadata.Uid == active.Uid)
            {
                known.Add(there);
            }
        }

        return known;
    }

    /// <summary>The job of that start, made now or before; null when another's has its name, and this start is passed over.</summary>
    private async Task<Job?> CreateAsync(CronJob cron, Job wanted, CancellationToken stopping)
    {
        try
        {
            var made = cluster.Jobs.Observe(await jobs.CreateAsync(wanted, stopping));
            cluster.Events.Record(cron, EventTypes.Normal, "SuccessfulCreate", $"Created job {made.Metadata.Name}");
            return made;
        }
        catch (ApiException taken) when (taken.IsAlreadyExists)
        {
            var there = await jobs.FindAsync(ResourceKey.Of(wanted), stopping);
            if (there is not null && PodFacts.ControllerOf(there)?.Uid == cron.Metadata.Uid)
            {
                return JobPlanner.IsFinished(there.Status) ? null : there;
            }

            cluster.Events.Record(cron, EventTypes.Warning, "FailedCreate", $"Error creating job: {wanted.Metadata.Name} exists and is not this cron job's; this start is passed over");
            return null;
        }
        catch (ApiException error)
        {
            cluster.Events.Record(cron, EventTypes.Warning, "FailedCreate", $"Error creating job: {error.Message}");
            throw;
        }
    }
}
