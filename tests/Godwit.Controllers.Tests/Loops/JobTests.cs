using System.Text.Json.Nodes;
using Godwit.Api.Batch.V1;
using Godwit.Controllers.Workloads.Jobs;

namespace Godwit.Controllers.Tests.Loops;

public sealed class JobTests
{
    private static CancellationToken Stopping => TestCluster.Stopping;

    [Fact]
    public async Task A_job_runs_its_pods_to_the_end_a_few_at_a_time_and_they_go_with_it()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        cluster.Pods.EndsAs = _ => PodPhases.Succeeded;
        await CreateAsync(cluster, new JobSpec { Completions = 5, Parallelism = 2 });

        var done = await cluster.UntilAsync<Job>("pi", job => JobPlanner.Has(job.Status, JobNames.Complete));
        Assert.Equal((5, 0, 0), (done.Status.Succeeded, done.Status.Failed, done.Status.Active));
        Assert.NotNull(done.Status.CompletionTime);
        var pods = await PodsAsync(cluster);
        Assert.Equal(5, pods.Count);
        Assert.All(pods, pod => Assert.DoesNotContain(JobNames.TrackingFinalizer, pod.Metadata.Finalizers));
        await cluster.EventAsync("Completed", "pi");

        await cluster.Client.For<Job>().DeleteAsync(new ResourceKey("default", "pi"), new DeleteOptions { PropagationPolicy = PropagationPolicies.Background }, Stopping);
        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)).Count == 0, () => "its pods are still there");
    }

    [Fact]
    public async Task Each_index_of_an_indexed_job_is_done_by_a_pod_that_knows_it()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        cluster.Pods.EndsAs = _ => PodPhases.Succeeded;
        await CreateAsync(cluster, new JobSpec { Completions = 4, Parallelism = 3, CompletionMode = JobNames.Indexed });

        var done = await cluster.UntilAsync<Job>("pi", job => JobPlanner.Has(job.Status, JobNames.Complete));
        Assert.Equal("0-3", done.Status.CompletedIndexes);
        Assert.All(await PodsAsync(cluster), pod =>
        {
            var index = pod.Metadata.Annotations[JobNames.Index];
            Assert.Equal(($"pi-{index}", index), (pod.Spec.Hostname, pod.Spec.Containers[0].Env.Single(each => each.Name == JobNames.IndexVariable).Value));
        });
    }

    [Fact]
    public async Task A_job_whose_pods_fail_stops_at_its_limit_and_says_so()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        cluster.Pods.EndsAs = _ => PodPhases.Failed;
        await CreateAsync(cluster, new JobSpec { Completions = 3, Parallelism = 1, BackoffLimit = 0 });

        var failed = await cluster.UntilAsync<Job>("pi", job => JobPlanner.Has(job.Status, JobNames.Failed));
        Assert.Equal(("BackoffLimitExceeded", 1, 0), (JobPlanner.Find(failed.Status, JobNames.Failed)!.Reason, failed.Status.Failed, failed.Status.Active));
        await cluster.EventAsync("BackoffLimitExceeded", "pi");
    }

    [Fact]
    public async Task A_suspended_job_has_no_pods_and_goes_on_when_it_is_resumed()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await CreateAsync(cluster, new JobSpec { Completions = 2, Parallelism = 2 });
        await cluster.UntilAsync<Job>("pi", job => job.Status is { Active: 2, Ready: 2 });

        await SuspendAsync(cluster, true);
        var suspended = await cluster.UntilAsync<Job>("pi", job => JobPlanner.Has(job.Status, JobNames.Suspended) && job.Status is { Active: 0, Terminating: 0 or null });
        Assert.Equal((0, null), (suspended.Status.Failed, suspended.Status.StartTime));
        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)).Count == 0, () => "a suspended job has pods");

        cluster.Pods.EndsAs = _ => PodPhases.Succeeded;
        await SuspendAsync(cluster, false);
        var done = await cluster.UntilAsync<Job>("pi", job => JobPlanner.Has(job.Status, JobNames.Complete));
        Assert.Equal((2, 0), (done.Status.Succeeded, done.Status.Failed));
    }

    [Fact]
    public async Task Pods_of_a_job_that_is_deleted_while_they_run_go_or_stay_as_was_asked()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        foreach (var policy in new[] { PropagationPolicies.Foreground, PropagationPolicies.Background, PropagationPolicies.Orphan })
        {
            await CreateAsync(cluster, new JobSpec { Completions = 2, Parallelism = 2 });
            await cluster.UntilAsync<Job>("pi", job => job.Status.Active == 2);
            await cluster.Client.For<Job>().DeleteAsync(new ResourceKey("default", "pi"), new DeleteOptions { PropagationPolicy = policy }, Stopping);
            await cluster.UntilGoneAsync<Job>("pi");
            var left = policy == PropagationPolicies.Orphan ? 2 : 0;
            await Eventually.HoldsAsync(
                async () => await PodsAsync(cluster) is var pods && pods.Count == left && !pods.Any(JobTracking.IsTracked), () => $"after {policy} not {left} pods free of the job");
        }
    }

    [Fact]
    public async Task A_job_that_is_to_be_kept_for_no_time_goes_when_it_has_ended()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        cluster.Pods.EndsAs = _ => PodPhases.Succeeded;
        await CreateAsync(cluster, new JobSpec { Completions = 1, Parallelism = 1, TtlSecondsAfterFinished = 0 });
        await cluster.EventAsync("Completed", "pi");
        await cluster.UntilGoneAsync<Job>("pi");
        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)).Count == 0, () => "its pod is still there");
    }

    private static Task<Job> CreateAsync(TestCluster cluster, JobSpec spec) => cluster.Client.For<Job>().CreateAsync(
        new Job
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = "pi" },
            Spec = spec with { Template = new PodTemplate { Spec = new PodSpec { RestartPolicy = "Never", Containers = [new Container { Name = "main", Image = "tiny" }] } } },
        },
        Stopping);

    private static Task<Job> SuspendAsync(TestCluster cluster, bool suspend) => cluster.Client.For<Job>().PatchAsync(
        new ResourceKey("default", "pi"), new JsonObject { ["spec"] = new JsonObject { ["suspend"] = suspend } }, Stopping);

    private static async Task<IReadOnlyList<Pod>> PodsAsync(TestCluster cluster) => (await cluster.Client.For<Pod>().ListAsync(ListOptions.All, Stopping)).Items;
}
