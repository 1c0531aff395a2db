using System.Globalization;
using Godwit.Api.Apps.V1;
using Godwit.Api.Batch.V1;
using Godwit.Controllers.Workloads;
using Godwit.Controllers.Workloads.CronJobs;
using Godwit.Store;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// Looks at what cron jobs and an autoscaler do while the clock is set forwards and back. The invariants, by the names that a failure prints:
/// <list type="bullet">
/// <item><b>NeverStartedTwice</b>: of a cron job no scheduled time has two jobs, not even one after the other.</item>
/// <item><b>NeverStorm</b>: however far the clock is set forwards, one start is made up for and no more.</item>
/// <item><b>StartsGoOn</b>, in the end: a clock that is right again is followed, when it has passed the last start.</item>
/// <item><b>NeverBeyondBounds</b>: an autoscaler asks for no fewer than its least and no more than its most.</item>
/// <item><b>Settles</b>, in the end: with a load that is steady the number becomes what the load takes, and stays.</item>
/// </list>
/// </summary>
internal sealed class ClockWitness(ClusterWorld world) : IClusterWitness
{
    public const int ReplicasMin = 2;
    public const int ReplicasMax = 5;

    private readonly HashSet<string> started = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> startsSinceSet = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> lastStarts = new(StringComparer.Ordinal);
    private DateTimeOffset set = world.Now;

    /// <summary>How many the autoscaled deployment is to have; null before it is there.</summary>
    public int? Replicas { get; private set; }

    /// <summary>When that changed last.</summary>
    public DateTimeOffset ReplicasSince { get; private set; }

    /// <summary>The clock was set: what is due may have changed.</summary>
    public void ClockIsSet()
    {
        set = world.Now;
        startsSinceSet.Clear();
    }

    /// <summary>When a cron job's last job was made, in true time.</summary>
    public DateTimeOffset LastStart(string cron) => lastStarts.GetValueOrDefault(cron);

    public void See(StoreEvent change)
    {
        if (change.Kind == StoreEventKind.Created && world.Server.IsOf<Job>(change))
        {
            See(world.Server.Decode<Job>(change));
        }
        else if (change.Kind != StoreEventKind.Deleted && world.Server.IsOf<Deployment>(change))
        {
            See(world.Server.Decode<Deployment>(change));
        }
    }

    private void See(Job job)
    {
        if (PodFacts.ControllerOf(job) is not { Kind: "CronJob" } cron)
        {
            return;
        }

        var scheduled = job.Metadata.Annotations.GetValueOrDefault(CronJobNames.ScheduledTimestamp);
        world.Log($"{job.Metadata.Name} is started for {scheduled}");
        world.Check(started.Add($"{cron.Uid} {scheduled}"), "NeverStartedTwice", () => $"{job.Metadata.Name} is the second of {cron.Name} for {scheduled}");
        var count = startsSinceSet[cron.Name] = startsSinceSet.GetValueOrDefault(cron.Name) + 1;
        lastStarts[cron.Name] = world.Now;

        // The one that is made up for, and one that was about to come.
        var most = 2 + (int)(world.Now - set).TotalMinutes;
        world.Check(count <= most, "NeverStorm", () => string.Create(CultureInfo.InvariantCulture, $"{cron.Name} was started {count} times in the {(world.Now - set).TotalMinutes:0.0} minutes since the clock was set"));
    }

    private void See(Deployment deployment)
    {
        if (deployment.Spec.Replicas is not { } replicas || replicas == Replicas)
        {
            return;
        }

        world.Log($"{deployment.Metadata.Name} is to have {replicas}");
        world.Seen.Add("autoscaled");
        (Replicas, ReplicasSince) = (replicas, world.Now);
        world.Check(replicas is >= ReplicasMin and <= ReplicasMax, "NeverBeyondBounds", () => $"{deployment.Metadata.Name} is to have {replicas}, and {ReplicasMin} to {ReplicasMax} are the bounds");
    }
}
