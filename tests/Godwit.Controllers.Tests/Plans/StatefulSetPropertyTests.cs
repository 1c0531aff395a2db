using CsCheck;
using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads;
using Godwit.Controllers.Workloads.Revisions;
using Godwit.Controllers.Workloads.StatefulSets;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>A stateful set and its pods from a seed, without a server: pods fail and are deleted at any time, and the controller dies between any two of its writes.</summary>
public sealed class StatefulSetPropertyTests
{
    [Fact]
    public void The_order_holds_whoever_dies_and_in_the_end_every_number_has_a_pod_of_its_template() =>
        Gen.Select(Gen.Int[0, 6], Gen.Int[0, 6], Gen.Int[0, 6], Gen.Bool, Gen.Int).Sample((first, then, partition, isParallel, seed) =>
        {
            var world = new World(isParallel, partition, seed);
            world.Ask(first, "one");
            world.Run(60, isCalm: false);
            world.Ask(then, "two");
            world.Run(60, isCalm: false);
            world.Run(400, isCalm: true);
            Assert.Equal(Enumerable.Range(0, then), world.Ordinals);
            Assert.All(world.Pods.Where(pod => world.OrdinalOf(pod) >= partition), pod => Assert.Equal(World.RevisionOf("two"), StatefulPods.RevisionOf(pod)));
            Assert.Equal((then, then, then), (world.Set.Status.Replicas, world.Set.Status.ReadyReplicas, world.Set.Status.AvailableReplicas));
            Assert.Equal(world.Pods.Count(pod => StatefulPods.RevisionOf(pod) == World.RevisionOf("two")), world.Set.Status.UpdatedReplicas);
        });

    private sealed class World(bool isParallel, int partition, int seed)
    {
        private readonly Random random = new(seed);
        private readonly SortedDictionary<string, Pod> pods = new(StringComparer.Ordinal);
        private string image = "one";
        private DateTimeOffset now = DateTimeOffset.UnixEpoch;
        private int made;

        public StatefulSet Set { get; private set; } = new()
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = "db", Uid = "uid-db" },
            Spec = new StatefulSetSpec
            {
                PodManagementPolicy = isParallel ? "Parallel" : "OrderedReady",
                Selector = new LabelSelectorSpec { MatchLabels = new Dictionary<string, string> { ["app"] = "db" } },
                UpdateStrategy = new StatefulSetUpdateStrategy { Type = "RollingUpdate", RollingUpdate = new RollingUpdateStatefulSetStrategy { Partition = partition } },
            },
        };

        public IEnumerable<Pod> Pods => pods.Values;

        public IEnumerable<int> Ordinals => pods.Values.Select(OrdinalOf).Order();

        public static string RevisionOf(string image) => RevisionPlanner.For(new StatefulSet { Metadata = new ObjectMeta { Name = "db" } }, TemplateOf(image), [], _ => false, null, 0).Current.Metadata.Name;

        public int OrdinalOf(Pod pod) => StatefulPods.OrdinalOf(Set, pod)!.Value;

        public void Ask(int replicas, string template)
        {
            image = template;
            Set = Set with { Spec = Set.Spec with { Replicas = replicas, Template = TemplateOf(template) } };
        }

        public void Run(int turns, bool isCalm)
        {
            for (var turn = 0; turn < turns; turn++)
            {
                now += TimeSpan.FromSeconds(1);
                if (random.Next(2) == 0)
                {
                    Look(dies: !isCalm);
                }
                else
                {
                    Happen(isCalm);
                }
            }
        }

        private static bool Serves(Pod pod) => PodFacts.IsActive(pod) && PodFacts.IsReady(pod);

        private static PodTemplate TemplateOf(string image) => new()
        {
            Metadata = new ObjectMeta { Labels = new Dictionary<string, string> { ["app"] = "db" } },
            Spec = new PodSpec { Containers = [new Container { Name = "main", Image = image }] },
        };

        private static PodStatus Status(bool isReady) => new()
        {
            Phase = PodPhases.Running,
            Conditions = [new PodCondition { Type = PodConditionTypes.Ready, Status = isReady ? ConditionStatuses.True : ConditionStatuses.False }],
        };

        private void Happen(bool isCalm)
        {
            foreach (var (name, pod) in pods.ToList())
            {
                if (pod.Metadata.DeletionTimestamp is not null)
                {
                    pods.Remove(name);
                }
                else if (!isCalm && random.Next(8) == 0)
                {
                    pods[name] = random.Next(3) switch
                    {
                        0 => pod with { Status = pod.Status with { Phase = PodPhases.Failed } },
                        1 => pod with { Metadata = pod.Metadata with { DeletionTimestamp = now } },
                        _ => pod with { Status = Status(isReady: false) },
                    };
                }
                else if (!PodPhases.IsFinal(pod.Status.Phase))
                {
                    pods[name] = pod with { Status = Status(isReady: true) };
                }
            }
        }

        private void Look(bool dies)
        {
            var revisions = new[] { "one", "two" }.Select(each => RevisionPlanner.For(Set, TemplateOf(each), [], _ => false, null, 0).Current).ToDictionary(each => each.Metadata.Name);
            var plan = StatefulSetPlanner.For(Set, RevisionOf(image), revisions.ContainsKey, [.. pods.Values], now);
            var writes = plan.Delete.Select(pod => (Action)(() => Delete(pod))).ToList();
            writes.AddRange(plan.Create.Select(each => (Action)(() => Create(each.Ordinal, revisions[each.Revision]))));
            writes.Add(() => Set = Set with { Status = plan.Status });
            foreach (var write in writes.Take(dies ? random.Next(writes.Count + 1) : writes.Count))
            {
                write();
            }
        }

        private void Create(int ordinal, ControllerRevision revision)
        {
            var pod = StatefulPods.Make(Set, ordinal, revision);
            Assert.DoesNotContain(pod.Metadata.Name, pods.Keys);
            Assert.True(ordinal < Set.Spec.Replicas);
            if (!isParallel)
            {
                Assert.True(Enumerable.Range(0, ordinal).All(lower => pods.TryGetValue(StatefulPods.NameOf(Set, lower), out var before) && Serves(before)), "made before those of lower numbers serve");
            }

            pods[pod.Metadata.Name] = pod with { Metadata = pod.Metadata with { Uid = $"uid-{++made}", CreationTimestamp = now }, Status = Status(isReady: false) };
        }

        private void Delete(Pod pod)
        {
            var ordinal = OrdinalOf(pod);
            if (!isParallel && ordinal >= Set.Spec.Replicas)
            {
                Assert.DoesNotContain(pods.Values, other => OrdinalOf(other) > ordinal);
            }

            if (!isParallel && ordinal < Set.Spec.Replicas && !PodPhases.IsFinal(pod.Status.Phase))
            {
                Assert.True(ordinal >= partition, "an old pod below the partition is taken");
                Assert.All(pods.Values.Where(other => OrdinalOf(other) != ordinal), other => Assert.True(Serves(other), "one is taken while another does not serve"));
            }

            pods[pod.Metadata.Name] = pod with { Metadata = pod.Metadata with { DeletionTimestamp = now } };
        }
    }
}
