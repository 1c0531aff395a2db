using CsCheck;
using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads;
using Godwit.Controllers.Workloads.Revisions;
using Godwit.Controllers.Workloads.StatefulSets;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>
/// A stateful set and its pods from a seed, without a server, with whatever a set may say: pods fail and are deleted at any time, and the controller dies between any two of its writes.
/// </summary>
public sealed class StatefulSetPropertyTests
{
    private static readonly Gen<Options> Sets =
        from isParallel in Gen.Bool
        from partition in Gen.Int[0, 6]
        from start in Gen.Int[0, 3]
        from minReadySeconds in Gen.Int[0, 4]
        from maxUnavailable in Gen.Int[0, 3]
        select new Options(isParallel, partition, start, minReadySeconds, maxUnavailable);

    [Fact]
    public void The_order_holds_whoever_dies_and_in_the_end_every_number_has_a_pod_of_its_template() =>
        Gen.Select(Gen.Int[0, 6], Gen.Int[0, 6], Sets, Gen.Int).Sample((first, then, options, seed) =>
        {
            var world = new World(options, seed);
            world.Ask(first, "one");
            world.Run(60, isCalm: false);
            world.Ask(then, "two");
            world.Run(60, isCalm: false);
            world.Run(800, isCalm: true);
            Assert.Equal(Enumerable.Range(options.Start, then), world.Ordinals);
            Assert.All(world.Pods.Where(pod => world.OrdinalOf(pod) >= options.Start + options.Partition), pod => Assert.Equal(World.RevisionOf("two"), StatefulPods.RevisionOf(pod)));
            Assert.Equal((then, then, then), (world.Set.Status.Replicas, world.Set.Status.ReadyReplicas, world.Set.Status.AvailableReplicas));
            Assert.Equal(world.Pods.Count(pod => StatefulPods.RevisionOf(pod) == World.RevisionOf("two")), world.Set.Status.UpdatedReplicas);
            Assert.True(options.Partition > 0 || world.Set.Status.CurrentRevision == World.RevisionOf("two"), "all pods are of the new template, and it is not the current one");
        });

    [Fact]
    public void With_OnDelete_a_pod_is_renewed_when_somebody_deletes_it_and_not_before() =>
        Gen.Select(Gen.Int[1, 6], Sets, Gen.Int).Sample((replicas, options, seed) =>
        {
            var world = new World(options with { RenewsOnDelete = true }, seed);
            world.Ask(replicas, "one");
            world.Run(60, isCalm: false);
            world.Run(400, isCalm: true);
            world.Ask(replicas, "two");
            world.Run(200, isCalm: true);
            Assert.All(world.Pods, pod => Assert.Equal(World.RevisionOf("one"), StatefulPods.RevisionOf(pod)));
            var renewed = world.Pods.First();
            world.AskAway(renewed);
            world.Run(400, isCalm: true);
            Assert.Equal(Enumerable.Range(options.Start, replicas), world.Ordinals);
            Assert.All(world.Pods, pod => Assert.Equal(World.RevisionOf(pod.Metadata.Name == renewed.Metadata.Name ? "two" : "one"), StatefulPods.RevisionOf(pod)));
        });

    /// <param name="IsParallel">Whether the order of making and taking away is kept.</param>
    /// <param name="Partition">So many of the lowest numbers keep their template.</param>
    /// <param name="Start">The lowest number.</param>
    /// <param name="MinReadySeconds">For how long a pod must have been ready.</param>
    /// <param name="MaxUnavailable">How many may be missing while a template is rolled out; one if it says nought.</param>
    private sealed record Options(bool IsParallel, int Partition, int Start, int MinReadySeconds, int MaxUnavailable)
    {
        public bool RenewsOnDelete { get; init; }

        public int MayMiss => Math.Max(1, MaxUnavailable);

        public StatefulSetUpdateStrategy Strategy => RenewsOnDelete ? new StatefulSetUpdateStrategy { Type = "OnDelete" } : new StatefulSetUpdateStrategy
        {
            Type = "RollingUpdate",
            RollingUpdate = new RollingUpdateStatefulSetStrategy { Partition = Partition, MaxUnavailable = MaxUnavailable == 0 ? null : new IntOrText(MaxUnavailable, null) },
        };
    }

    private sealed class World(Options options, int seed)
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
                PodManagementPolicy = options.IsParallel ? "Parallel" : "OrderedReady",
                Ordinals = options.Start == 0 ? null : new StatefulSetOrdinals { Start = options.Start },
                MinReadySeconds = options.MinReadySeconds,
                Selector = new LabelSelectorSpec { MatchLabels = new Dictionary<string, string> { ["app"] = "db" } },
                UpdateStrategy = options.Strategy,
            },
        };

        public IEnumerable<Pod> Pods => pods.Values;

        private int End => options.Start + (Set.Spec.Replicas ?? 1);

        public IEnumerable<int> Ordinals => pods.Values.Select(OrdinalOf).Order();

        public static string RevisionOf(string image) => RevisionPlanner.For(new StatefulSet { Metadata = new ObjectMeta { Name = "db" } }, TemplateOf(image), [], _ => false, null, 0).Current.Metadata.Name;

        public int OrdinalOf(Pod pod) => StatefulPods.OrdinalOf(Set, pod)!.Value;

        public void Ask(int replicas, string template)
        {
            image = template;
            Set = Set with { Spec = Set.Spec with { Replicas = replicas, Template = TemplateOf(template) } };
        }

        /// <summary>Somebody deletes a pod.</summary>
        public void AskAway(Pod pod) => pods[pod.Metadata.Name] = pod with { Metadata = pod.Metadata with { DeletionTimestamp = now } };

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

        private bool Serves(Pod pod) => PodFacts.IsActive(pod) && PodFacts.IsAvailable(pod, options.MinReadySeconds, now);

        private static PodTemplate TemplateOf(string image) => new()
        {
            Metadata = new ObjectMeta { Labels = new Dictionary<string, string> { ["app"] = "db" } },
            Spec = new PodSpec { Containers = [new Container { Name = "main", Image = image }] },
        };

        private PodStatus Status(bool isReady) => new()
        {
            Phase = PodPhases.Running,
            Conditions = [new PodCondition { Type = PodConditionTypes.Ready, Status = isReady ? ConditionStatuses.True : ConditionStatuses.False, LastTransitionTime = now }],
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
                else if (PodFacts.IsActive(pod) && !PodFacts.IsReady(pod))
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
            Assert.InRange(ordinal, options.Start, End - 1);
            if (!options.IsParallel)
            {
                Assert.True(Enumerable.Range(options.Start, ordinal - options.Start).All(lower => pods.TryGetValue(StatefulPods.NameOf(Set, lower), out var before) && Serves(before)), "made before those of lower numbers serve");
            }

            pods[pod.Metadata.Name] = pod with { Metadata = pod.Metadata with { Uid = $"uid-{++made}", CreationTimestamp = now }, Status = Status(isReady: false) };
        }

        private void Delete(Pod pod)
        {
            var ordinal = OrdinalOf(pod);
            if (!options.IsParallel && ordinal >= End)
            {
                Assert.DoesNotContain(pods.Values, other => OrdinalOf(other) > ordinal);
            }

            if (ordinal < End && !PodPhases.IsFinal(pod.Status.Phase))
            {
                Assert.False(options.RenewsOnDelete, "a pod is taken that nobody deleted");
                Assert.True(ordinal >= options.Start + options.Partition, "an old pod below the partition is taken");
                var countsAll = options.MaxUnavailable > 0 || !options.IsParallel; // Else those above it alone, as in Kubernetes.
                var others = Enumerable.Range(options.Start, End - options.Start).Where(each => each > ordinal || (countsAll && each != ordinal)).Select(each => pods.GetValueOrDefault(StatefulPods.NameOf(Set, each)));
                var missing = others.Count(other => other is null || !Serves(other));
                Assert.True(missing < options.MayMiss || (countsAll && options.IsParallel && !Serves(pod)), $"one more is taken while {missing} do not serve, and {options.MayMiss} may be missing");
            }

            pods[pod.Metadata.Name] = pod with { Metadata = pod.Metadata with { DeletionTimestamp = now } };
        }
    }
}
