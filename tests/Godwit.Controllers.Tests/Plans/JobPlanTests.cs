using Godwit.Api.Batch.V1;
using Godwit.Controllers.Workloads.Jobs;

namespace Godwit.Controllers.Tests.Plans;

public sealed class JobPlanTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch;

    [Theory]
    [InlineData(1, 10)]
    [InlineData(2, 20)]
    [InlineData(4, 80)]
    [InlineData(7, 600)]
    [InlineData(40, 600)]
    public void After_failures_in_a_row_the_next_pod_waits_twice_as_long_each_time(int failures, int seconds)
    {
        var pods = Enumerable.Range(0, failures).Select(number => PodOf(number, PodPhases.Failed, end: Start.AddSeconds(number))).ToList();
        var last = Start.AddSeconds(failures - 1);
        Assert.Equal(TimeSpan.FromSeconds(seconds), new JobPods(JobOf(), pods).BackoffLeft(last));
        Assert.Equal(TimeSpan.FromSeconds(1), new JobPods(JobOf(), pods).BackoffLeft(last.AddSeconds(seconds - 1)));
        Assert.Null(new JobPods(JobOf(), pods).BackoffLeft(last.AddSeconds(seconds)));
        Assert.Null(new JobPods(JobOf(), [.. pods, PodOf(99, PodPhases.Succeeded, end: last.AddSeconds(1))]).BackoffLeft(last.AddSeconds(1))); // A success ends the row.
    }

    [Fact]
    public void A_job_that_runs_longer_than_it_may_fails_with_its_pods_stopped()
    {
        var job = JobOf(spec => spec with { ActiveDeadlineSeconds = 30 }) with { Status = new JobStatus { StartTime = Start } };
        var pod = PodOf(1, PodPhases.Running);

        var before = JobPlanner.For(job, [pod], Start.AddSeconds(29));
        Assert.Equal((0, TimeSpan.FromSeconds(1)), (before.Stop.Count, before.Next));

        var late = JobPlanner.For(job, [pod], Start.AddSeconds(30));
        Assert.Equal("DeadlineExceeded", JobPlanner.Find(late.Status, JobNames.FailureTarget)!.Reason);
        Assert.Equal([pod], late.Stop);

        var suspended = JobPlanner.For(job with { Spec = job.Spec with { Suspend = true } }, [pod], Start.AddSeconds(31));
        Assert.Null(JobPlanner.Find(suspended.Status, JobNames.FailureTarget)); // A suspended job's time stands still.
    }

    [Theory]
    [InlineData("OnFailure", 2, false)]
    [InlineData("OnFailure", 3, true)]
    [InlineData("Never", 3, false)]
    public void Containers_that_are_started_again_in_place_count_towards_the_limit(string restartPolicy, int restarts, bool fails)
    {
        var job = JobOf(spec => spec with { BackoffLimit = 3, Template = new PodTemplate { Spec = new PodSpec { RestartPolicy = restartPolicy } } });
        var plan = JobPlanner.For(job, [PodOf(1, PodPhases.Running, restarts: restarts)], Start);
        Assert.Equal(fails ? "BackoffLimitExceeded" : null, JobPlanner.Find(plan.Status, JobNames.FailureTarget)?.Reason);
        Assert.Equal(fails ? 1 : 0, plan.Stop.Count);
    }

    [Fact]
    public void A_pod_that_it_selects_and_that_nobody_has_is_taken_before_another_is_made()
    {
        var stray = PodOf(1, PodPhases.Running);
        stray = stray with { Metadata = stray.Metadata with { OwnerReferences = [], Finalizers = [] } };
        var plan = JobPlanner.For(JobOf(), [stray], Start);
        Assert.Equal([stray], plan.Adopt);
        Assert.Empty(plan.Create);

        var ended = stray with { Status = new PodStatus { Phase = PodPhases.Succeeded } };
        Assert.Empty(JobPlanner.For(JobOf(), [ended], Start).Adopt); // What it did was done for somebody else.
    }

    private static Job JobOf(Func<JobSpec, JobSpec>? change = null)
    {
        var spec = new JobSpec { Completions = 1, Parallelism = 1, BackoffLimit = 6, Selector = new LabelSelectorSpec { MatchLabels = new Dictionary<string, string> { ["job"] = "pi" } } };
        return new Job { Metadata = new ObjectMeta { Namespace = "ns", Name = "pi", Uid = "uid-pi" }, Spec = change is null ? spec : change(spec) };
    }

    private static Pod PodOf(int number, string phase, DateTimeOffset? end = null, int restarts = 0) => new()
    {
        Metadata = new ObjectMeta
        {
            Namespace = "ns",
            Name = $"p{number}",
            Uid = $"uid-{number}",
            Labels = new Dictionary<string, string> { ["job"] = "pi" },
            Finalizers = [JobNames.TrackingFinalizer],
            OwnerReferences = [new OwnerReference { ApiVersion = "batch/v1", Kind = "Job", Name = "pi", Uid = "uid-pi", Controller = true }],
        },
        Status = new PodStatus
        {
            Phase = phase,
            ContainerStatuses = [new ContainerStatus { Name = "main", RestartCount = restarts, State = end is null ? null : new ContainerState { Terminated = new ContainerStateTerminated { FinishedAt = end } } }],
        },
    };
}
