using CsCheck;
using Godwit.Api.Batch.V1;
using Godwit.Controllers.Workloads.CronJobs;
using Godwit.Controllers.Workloads.Jobs;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>A cron job and its jobs from a seed, without a server: the clock jumps, jobs end at any time, and the controller dies between any two of its writes.</summary>
public sealed class CronJobPropertyTests
{
    private static readonly Gen<string> Schedules = Gen.OneOf([.. new[] { "* * * * *", "*/7 * * * *", "0 3 * * *", "15,45 */2 * * 1-5", "0 0 1 * *", "30 2 29 2 *" }.Select(each => Gen.Const(each))]);
    private static readonly Gen<string> Policies = Gen.OneOf([.. new[] { "Allow", CronJobNames.Forbid, CronJobNames.Replace }.Select(each => Gen.Const(each))]);

    [Fact]
    public void No_minute_is_started_twice_and_no_policy_or_bound_is_broken_whatever_the_clock_does_and_whoever_dies() =>
        Gen.Select(Schedules, Policies, Gen.Int[0, 3], Gen.Int).Sample((schedule, policy, history, seed) =>
        {
            var world = new World(schedule, policy, history, deadlineSeconds: null, seed);
            for (var turn = 0; turn < 300; turn++)
            {
                world.Turn();
            }

            world.Look(dies: false);
            world.Look(dies: false);
            Assert.InRange(world.Jobs.Count(job => JobPlanner.Has(job.Status, JobNames.Complete)), 0, history);
            Assert.InRange(world.Jobs.Count(job => JobPlanner.Has(job.Status, JobNames.Failed)), 0, history);
            Assert.Equal(0, world.Look(dies: false)); // Nothing is left to be written.
        });

    [Fact]
    public void Every_start_is_made_while_the_clock_goes_on_as_it_should() =>
        Gen.Select(Schedules, Gen.Int[0, 3], Gen.Int).Sample((schedule, history, seed) =>
        {
            var world = new World(schedule, "Allow", history, deadlineSeconds: 300, seed);
            var due = CronSchedule.Parse(schedule).NextAfter(world.Now, TimeZoneInfo.Utc)!.Value;
            for (var start = 0; start < 20; start++)
            {
                world.PassUntil(due + TimeSpan.FromSeconds(1));
                world.Look(dies: true); // It may die; whoever comes after makes up for it.
                world.Look(dies: false);
                Assert.Equal(due, world.Cron.Status.LastScheduleTime);
                Assert.Equal(start + 1, world.Started.Count);
                due = CronSchedule.Parse(schedule).NextAfter(due, TimeZoneInfo.Utc)!.Value;
            }
        });

    [Fact]
    public void Of_the_starts_missed_the_last_is_made_within_the_deadline_and_none_after_it() =>
        Gen.Select(Gen.Int[1, 3_000_000], Gen.Int[0, 5_000], Gen.Int).Sample((awayMinutes, deadlineSeconds, seed) =>
        {
            var world = new World("0 * * * *", "Allow", 3, deadlineSeconds, seed);
            world.PassUntil(world.Now + TimeSpan.FromMinutes(awayMinutes));
            world.Look(dies: false);
            var last = new DateTimeOffset(world.Now.Year, world.Now.Month, world.Now.Day, world.Now.Hour, 0, 0, TimeSpan.Zero);
            var isMade = last > World.Birth && world.Now - last <= TimeSpan.FromSeconds(deadlineSeconds);
            Assert.Equal(isMade ? [last] : [], world.Started);
        });

    private sealed class World
    {
        public static readonly DateTimeOffset Birth = new(2026, 1, 30, 10, 20, 30, TimeSpan.Zero);

        private readonly Random random;
        private readonly Dictionary<string, Job> jobs = new(StringComparer.Ordinal);
        private readonly HashSet<string> names = new(StringComparer.Ordinal);
        private readonly CronSchedule schedule;
        private int made;

        public World(string schedule, string policy, int history, long? deadlineSeconds, int seed)
        {
            random = new Random(seed);
            this.schedule = CronSchedule.Parse(schedule);
            Cron = new CronJob
            {
                Metadata = new ObjectMeta { Namespace = "ns", Name = "night", Uid = "uid-night", CreationTimestamp = Birth },
                Spec = new CronJobSpec
                {
                    Schedule = schedule,
                    ConcurrencyPolicy = policy,
                    SuccessfulJobsHistoryLimit = history,
                    FailedJobsHistoryLimit = history,
                    StartingDeadlineSeconds = deadlineSeconds,
                },
            };
        }

        public CronJob Cron { get; private set; }

        public DateTimeOffset Now { get; private set; } = Birth;

        public List<DateTimeOffset> Started { get; } = [];

        public IEnumerable<Job> Jobs => jobs.Values;

        public void PassUntil(DateTimeOffset time) => Now = time;

        public void Turn()
        {
            Now += random.Next(12) switch
            {
                0 => TimeSpan.FromDays(random.Next(40)),
                1 => -TimeSpan.FromHours(random.Next(50)),
                2 => -TimeSpan.FromSeconds(random.Next(90)),
                _ => TimeSpan.FromSeconds(random.Next(400)),
            };
            var running = jobs.Values.Where(job => !JobPlanner.IsFinished(job.Status)).OrderBy(job => job.Metadata.Name, StringComparer.Ordinal).ToList();
            if (random.Next(3) == 0 && running.Count > 0)
            {
                End(running[random.Next(running.Count)]);
            }
            else
            {
                Look(dies: true);
            }
        }

        /// <summary>One look, cut off after any number of writes if it dies. Returns how many there were.</summary>
        public int Look(bool dies)
        {
            var plan = CronJobPlanner.For(Cron, [.. jobs.Values], Now);
            var status = plan.Status;
            var writes = plan.Expired.Concat(plan.Replaced).Select(job => (Action)(() => jobs.Remove(job.Metadata.Name))).ToList();
            if (plan.Create is { } wanted)
            {
                writes.Add(() => status = Create(wanted, status));
            }

            if (plan.Create is not null || GodwitJson.Serialize(plan.Status) != GodwitJson.Serialize(Cron.Status))
            {
                writes.Add(() =>
                {
                    Assert.True(Cron.Status.LastScheduleTime is not { } before || status.LastScheduleTime >= before, "the last start went back");
                    Cron = Cron with { Status = status };
                });
            }

            foreach (var write in writes.Take(dies ? random.Next(writes.Count + 1) : writes.Count))
            {
                write();
            }

            return writes.Count;
        }

        private CronJobStatus Create(Job wanted, CronJobStatus status)
        {
            if (jobs.TryGetValue(wanted.Metadata.Name, out var there))
            {
                return JobPlanner.IsFinished(there.Status) || status.Active.Any(each => each.Uid == there.Metadata.Uid) ? status : status with { Active = [.. status.Active, CronJobPlanner.ReferenceTo(there)] };
            }

            Assert.True(names.Add(wanted.Metadata.Name), "a minute is started twice");
            Assert.True(Rfc3339.TryParse(wanted.Metadata.Annotations[CronJobNames.ScheduledTimestamp], out var due));
            Assert.True(due > Birth && due <= Now, "started before its time");
            Assert.Equal(due, schedule.NextAfter(due - TimeSpan.FromSeconds(1), TimeZoneInfo.Utc));
            Started.Add(due);
            var job = wanted with { Metadata = wanted.Metadata with { Uid = $"uid-{++made}", CreationTimestamp = Now } };
            jobs[job.Metadata.Name] = job;
            if (Cron.Spec.ConcurrencyPolicy != "Allow")
            {
                Assert.Single(jobs.Values, each => !JobPlanner.IsFinished(each.Status));
            }

            return status with { Active = [.. status.Active, CronJobPlanner.ReferenceTo(job)] };
        }

        private void End(Job job)
        {
            var type = random.Next(2) == 0 ? JobNames.Complete : JobNames.Failed;
            var condition = new JobCondition { Type = type, Status = ConditionStatuses.True, LastTransitionTime = Now };
            jobs[job.Metadata.Name] = job with { Status = job.Status with { Conditions = [condition], CompletionTime = type == JobNames.Complete ? Now : null } };
        }
    }
}
