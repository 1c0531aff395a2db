using System.Text.Json.Nodes;
using Godwit.Api.Batch.V1;
using Godwit.Controllers.Workloads.CronJobs;
using Godwit.Controllers.Workloads.Jobs;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Controllers.Tests.Loops;

public sealed class CronJobTests
{
    private static CancellationToken Stopping => TestCluster.Stopping;

    [Fact]
    public async Task A_cron_job_starts_a_job_at_its_times_and_keeps_the_last_few()
    {
        await using var world = await World.StartAsync();
        world.Cluster.Pods.EndsAs = _ => PodPhases.Succeeded;
        await CreateAsync(world.Cluster, new CronJobSpec { Schedule = "* * * * *", SuccessfulJobsHistoryLimit = 2 });
        for (var round = 0; round < 4; round++)
        {
            var before = world.Clock.GetUtcNow();
            await world.UntilAsync(cron => cron.Status.LastScheduleTime > before && cron.Status.LastSuccessfulTime > before && cron.Status.Active.Count == 0);
        }

        await world.UntilJobsAsync(jobs => jobs.Count is 1 or 2);
        var newest = (await JobsAsync(world.Cluster)).MaxBy(job => job.Metadata.Name, StringComparer.Ordinal)!;
        var scheduled = DateTimeOffset.Parse(newest.Metadata.Annotations[CronJobNames.ScheduledTimestamp], null);
        Assert.Equal($"night-{scheduled.ToUnixTimeSeconds() / 60}", newest.Metadata.Name);
        await world.Cluster.EventAsync("SuccessfulCreate", "night");
        await world.Cluster.EventAsync("SawCompletedJob", "night");
        await world.Cluster.EventAsync("SuccessfulDelete", "night");
    }

    [Fact]
    public async Task What_still_runs_holds_the_next_start_back_or_makes_room_for_it_as_was_asked()
    {
        await using var world = await World.StartAsync();
        await CreateAsync(world.Cluster, new CronJobSpec { Schedule = "* * * * *", ConcurrencyPolicy = CronJobNames.Forbid });
        var first = await world.UntilAsync(cron => cron.Status.Active.Count == 1);
        var end = world.Clock.GetUtcNow() + TimeSpan.FromMinutes(3);
        await world.UntilAsync(_ => world.Clock.GetUtcNow() > end);
        await world.Cluster.EventAsync("JobAlreadyActive", "night");
        Assert.Equal(first.Status.Active[0].Uid, Assert.Single(await JobsAsync(world.Cluster)).Metadata.Uid);

        await PatchAsync(world.Cluster, new JsonObject { ["concurrencyPolicy"] = CronJobNames.Replace });
        var next = await world.UntilAsync(cron => cron.Status.Active is [{ } only] && only.Uid != first.Status.Active[0].Uid);
        Assert.True(next.Status.LastScheduleTime > first.Status.LastScheduleTime);
        await world.UntilJobsAsync(jobs => jobs.All(job => job.Metadata.Uid != first.Status.Active[0].Uid));
    }

    [Fact]
    public async Task A_suspended_cron_job_starts_nothing_and_its_jobs_go_with_it()
    {
        await using var world = await World.StartAsync();
        await CreateAsync(world.Cluster, new CronJobSpec { Schedule = "* * * * *", Suspend = true });
        var end = world.Clock.GetUtcNow() + TimeSpan.FromMinutes(3);
        await world.UntilAsync(_ => world.Clock.GetUtcNow() > end);
        Assert.Empty(await JobsAsync(world.Cluster));

        await PatchAsync(world.Cluster, new JsonObject { ["suspend"] = false });
        await world.UntilAsync(cron => cron.Status.Active.Count > 0);
        await world.Cluster.Client.For<CronJob>().DeleteAsync(new ResourceKey("default", "night"), new DeleteOptions { PropagationPolicy = PropagationPolicies.Background }, Stopping);
        await world.UntilJobsAsync(jobs => jobs.Count == 0);
    }

    [Fact]
    [Trait("Needs", "kubectl")]
    public async Task Kubectl_starts_a_job_from_a_cron_job_by_hand()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        cluster.Pods.EndsAs = _ => PodPhases.Succeeded;
        await KubectlTests.RunAsync(cluster, "create cronjob night --image=tiny --schedule=@yearly -- true");
        await KubectlTests.RunAsync(cluster, "create job now --from=cronjob/night");
        await KubectlTests.RunAsync(cluster, "wait job/now --for=condition=Complete --timeout=60s");
        await cluster.UntilAsync<CronJob>("night", cron => cron.Status.LastSuccessfulTime is not null && cron.Status.Active.Count == 0);
        Assert.Matches(@"night +@yearly +(<none> +)?False +0 +<none> ", await KubectlTests.RunAsync(cluster, "get cronjobs"));
        Assert.Contains("Last Schedule Time:", await KubectlTests.RunAsync(cluster, "describe cronjob night"), StringComparison.Ordinal);
        var job = await cluster.Client.For<Job>().GetAsync(new ResourceKey("default", "now"), Stopping);
        Assert.Equal(CronJobNames.Manual, job.Metadata.Annotations[CronJobNames.Instantiate]);
        Assert.True(JobPlanner.Has(job.Status, JobNames.Complete));
    }

    private static Task<CronJob> CreateAsync(TestCluster cluster, CronJobSpec spec) => cluster.Client.For<CronJob>().CreateAsync(
        new CronJob
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = "night" },
            Spec = spec with
            {
                JobTemplate = new JobTemplate
                {
                    Spec = new JobSpec { Template = new PodTemplate { Spec = new PodSpec { RestartPolicy = "Never", Containers = [new Container { Name = "main", Image = "tiny" }] } } },
                },
            },
        },
        Stopping);

    private static Task<CronJob> PatchAsync(TestCluster cluster, JsonObject spec) => cluster.Client.For<CronJob>().PatchAsync(
        new ResourceKey("default", "night"), new JsonObject { ["spec"] = spec }, Stopping);

    private static async Task<IReadOnlyList<Job>> JobsAsync(TestCluster cluster) => (await cluster.Client.For<Job>().ListAsync(ListOptions.All, Stopping)).Items;

    /// <summary>A cluster of one node whose time passes while it is waited for: a second, and a heartbeat, at each look.</summary>
    private sealed class World(TestCluster cluster, FakeTimeProvider clock, FakeAgent agent) : IAsyncDisposable
    {
        public TestCluster Cluster => cluster;

        public FakeTimeProvider Clock => clock;

        public static async Task<World> StartAsync()
        {
            var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
            var cluster = await TestCluster.StartAsync(clock);
            return new World(cluster, clock, await cluster.AddNodeAsync("node-1"));
        }

        public ValueTask DisposeAsync() => cluster.DisposeAsync();

        public async Task<CronJob> UntilAsync(Func<CronJob, bool> condition)
        {
            CronJob? seen = null;
            await Eventually.HoldsAsync(
                async () =>
                {
                    await PassAsync();
                    return (seen = await cluster.Client.For<CronJob>().FindAsync(new ResourceKey("default", "night"), Stopping)) is not null && condition(seen);
                },
                () => GodwitJson.Serialize(seen?.Status));
            return seen!;
        }

        public Task UntilJobsAsync(Func<IReadOnlyList<Job>, bool> condition) => Eventually.HoldsAsync(
            async () =>
            {
                await PassAsync();
                return condition(await JobsAsync(cluster));
            },
            () => "the jobs are not as they should be");

        private Task PassAsync() => cluster.PassAsync(clock, agent);
    }
}
