using CsCheck;
using Godwit.Api.Batch.V1;
using Godwit.Controllers.Workloads.Jobs;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>A job and its pods from a seed, without a server: pods end and are deleted at any time, and the controller dies between any two of its writes.</summary>
public sealed class JobPropertyTests
{
    private const int TurnsMax = 50_000;

    [Fact]
    public void Each_end_of_a_pod_is_counted_once_and_every_job_ends_with_what_was_asked() =>
        Gen.Select(Gen.Int[1, 12], Gen.Int[1, 6], Gen.Bool, Gen.Int).Sample((completions, parallelism, isIndexed, seed) =>
        {
            var world = new World(completions, parallelism, isIndexed, backoffLimit: 1_000_000, seed);
            world.RunToEnd();
            Assert.True(JobPlanner.Has(world.Job.Status, JobNames.Complete));
            Assert.Equal(completions, world.Job.Status.Succeeded);
            Assert.Equal(world.FailedEnds, world.Job.Status.Failed);
            if (isIndexed)
            {
                Assert.Equal(Enumerable.Range(0, completions), world.SucceededIndexes.Order());
                Assert.Equal(Enumerable.Range(0, completions), JobIndexes.Parse(world.Job.Status.CompletedIndexes, completions));
            }
            else
            {
                Assert.Equal(completions, world.SucceededEnds);
            }
        });

    [Fact]
    public void A_job_fails_after_its_limit_with_nothing_left_running_and_each_failure_counted() =>
        Gen.Select(Gen.Int[1, 6], Gen.Int[0, 4], Gen.Int).Sample((parallelism, limit, seed) =>
        {
            var world = new World(100, parallelism, false, limit, seed) { OnlyFails = true };
            world.RunToEnd();
            Assert.True(JobPlanner.Has(world.Job.Status, JobNames.Failed));
            Assert.Equal("BackoffLimitExceeded", JobPlanner.Find(world.Job.Status, JobNames.Failed)!.Reason);
            Assert.Equal(world.FailedEnds, world.Job.Status.Failed);
            Assert.InRange(world.Job.Status.Failed, limit + 1, limit + 1 + (2 * parallelism));
        });

    [Fact]
    public void A_set_of_indexes_is_written_and_read_back() =>
        Gen.Int[0, 40].Array[0, 30].Sample(indexes => Assert.Equal(new SortedSet<int>(indexes), JobIndexes.Parse(JobIndexes.Format([.. indexes]), 41)));

    private sealed class World
    {
        private readonly Random random;
        private readonly int parallelism;
        private readonly Dictionary<string, Pod> pods = new(StringComparer.Ordinal);
        private DateTimeOffset now = DateTimeOffset.UnixEpoch;
        private int made;

        public World(int completions, int parallelism, bool isIndexed, int backoffLimit, int seed)
        {
            random = new Random(seed);
            this.parallelism = parallelism;
            var labels = new Dictionary<string, string> { ["job"] = "pi" };
            Job = new Job
            {
                Metadata = new ObjectMeta { Namespace = "ns", Name = "pi", Uid = "uid-pi" },
                Spec = new JobSpec
                {
                    Completions = completions,
                    Parallelism = parallelism,
                    BackoffLimit = backoffLimit,
                    CompletionMode = isIndexed ? JobNames.Indexed : "NonIndexed",
                    Selector = new LabelSelectorSpec { MatchLabels = labels },
                    Template = new PodTemplate { Metadata = new ObjectMeta { Labels = labels }, Spec = new PodSpec { RestartPolicy = "Never", Containers = [new Container { Name = "main", Image = "tiny" }] } },
                },
            };
        }

        public Job Job { get; private set; }

        public bool OnlyFails { get; init; }

        public int SucceededEnds { get; private set; }

        public HashSet<int> SucceededIndexes { get; } = [];

        /// <summary>Pods that failed, or were deleted, while their end was to be counted.</summary>
        public int FailedEnds { get; private set; }

        public void RunToEnd()
        {
            for (var turn = 0; turn < TurnsMax && !JobPlanner.IsFinished(Job.Status); turn++)
            {
                Turn();
                Assert.True(pods.Values.Count(IsRunning) <= parallelism, "more pods run than may at a time");
            }

            Assert.True(JobPlanner.IsFinished(Job.Status), "the job does not end");
            Assert.DoesNotContain(pods.Values, IsRunning);
        }

        private static bool IsRunning(Pod pod) => pod.Metadata.DeletionTimestamp is null && pod.Status.Phase == PodPhases.Running;

        private void Turn()
        {
            now += TimeSpan.FromMinutes(random.Next(12));
            var running = pods.Values.Where(IsRunning).OrderBy(pod => pod.Metadata.Uid, StringComparer.Ordinal).ToList();
            switch (random.Next(6))
            {
                case 0 when running.Count > 0:
                    End(running[random.Next(running.Count)]);
                    break;
                case 1 when running.Count > 0 && random.Next(4) == 0: // Somebody deletes it.
                    Delete(running[random.Next(running.Count)]);
                    break;
                default:
                    Look();
                    break;
            }
        }

        private void End(Pod pod)
        {
            var succeeds = !OnlyFails && random.Next(3) > 0;
            pods[pod.Metadata.Uid] = pod with { Status = pod.Status with { Phase = succeeds ? PodPhases.Succeeded : PodPhases.Failed } };
            if (!JobTracking.IsTracked(pod))
            {
                return;
            }

            (SucceededEnds, FailedEnds) = succeeds ? (SucceededEnds + 1, FailedEnds) : (SucceededEnds, FailedEnds + 1);
            if (succeeds && JobIndexes.Of(pod) is { } index)
            {
                SucceededIndexes.Add(index);
            }
        }

        private void Delete(Pod pod)
        {
            if (IsRunning(pod) && JobTracking.IsTracked(pod))
            {
                FailedEnds++;
            }

            Put(pod with { Metadata = pod.Metadata with { DeletionTimestamp = now } });
        }

        private void Put(Pod pod)
        {
            if (pod.Metadata is { DeletionTimestamp: not null, Finalizers.Count: 0 })
            {
                pods.Remove(pod.Metadata.Uid);
                return;
            }

            pods[pod.Metadata.Uid] = pod;
        }

        private void Untrack(Pod pod) => Put(pods[pod.Metadata.Uid] with { Metadata = pods[pod.Metadata.Uid].Metadata with { Finalizers = [] } });

        private void Look()
        {
            var plan = JobPlanner.For(Job, [.. pods.Values], now);
            var writes = new List<Action> { () => Job = Job with { Status = plan.Status } };
            writes.AddRange(plan.Untrack.Select(pod => (Action)(() => Untrack(pod))));
            foreach (var pod in plan.Withdraw)
            {
                writes.Add(() => Untrack(pod));
                writes.Add(() => Delete(pods[pod.Metadata.Uid]));
            }

            writes.AddRange(plan.Stop.Select(pod => (Action)(() => Delete(pod))));
            writes.AddRange(plan.Create.Select(index => (Action)(() => Add(JobPods.Make(Job, index)))));
            foreach (var write in writes.Take(random.Next(writes.Count + 1))) // It may die after any of them.
            {
                write();
            }
        }

        private void Add(Pod pod)
        {
            var uid = $"uid-{++made:D6}";
            pods[uid] = pod with { Metadata = pod.Metadata with { Uid = uid, Name = uid, CreationTimestamp = now }, Status = new PodStatus { Phase = PodPhases.Running } };
        }
    }
}
