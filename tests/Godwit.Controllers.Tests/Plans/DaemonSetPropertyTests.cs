using CsCheck;
using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads;
using Godwit.Controllers.Workloads.DaemonSets;
using Godwit.Controllers.Workloads.Revisions;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>
/// A daemon set, nodes and pods from a seed, without a server: nodes are tainted and left again, pods fail and are deleted at any time, and the controller dies between any two of its writes.
/// </summary>
public sealed class DaemonSetPropertyTests
{
    private const string Spot = "example.org/spot";

    private static readonly Gen<Options> Sets =
        from maxUnavailable in Gen.Int[1, 3]
        from maxSurge in Gen.Int[0, 3]
        from minReadySeconds in Gen.Int[0, 4]
        select maxSurge == 0 ? new Options(maxUnavailable, 0, minReadySeconds) : new Options(0, maxSurge, minReadySeconds);

    [Fact]
    public void A_rollout_keeps_within_its_bounds_whatever_happens_to_nodes_and_pods_and_in_the_end_each_node_that_fits_has_one_pod() =>
        Gen.Select(Gen.Int[1, 6], Sets, Gen.Int).Sample((nodes, options, seed) =>
        {
            var world = new World(nodes, options, seed);
            world.Ask("one");
            world.Run(80, isCalm: false);
            world.Ask("two");
            world.Run(120, isCalm: false);
            world.Run(600, isCalm: true);
            Assert.All(world.Nodes.Where(World.Fits), node => Assert.Equal("two", Assert.Single(world.PodsOn(node)).Spec.Containers[0].Image));
            Assert.All(world.Nodes.Where(World.Repels), node => Assert.Empty(world.PodsOn(node)));
            var (fit, status) = (world.Nodes.Count(World.Fits), world.Set.Status);
            Assert.Equal((fit, fit, fit, fit, 0), (status.DesiredNumberScheduled, status.CurrentNumberScheduled, status.NumberAvailable, status.UpdatedNumberScheduled, status.NumberUnavailable));
            Assert.Equal(world.Nodes.Count(node => !World.Fits(node) && world.PodsOn(node).Any()), status.NumberMisscheduled);
        });

    [Fact]
    public void With_OnDelete_a_pod_is_renewed_when_somebody_deletes_it_and_not_before() =>
        Gen.Select(Gen.Int[1, 6], Sets, Gen.Int).Sample((nodes, options, seed) =>
        {
            var world = new World(nodes, options with { RenewsOnDelete = true }, seed);
            world.Ask("one");
            world.Run(200, isCalm: true);
            world.Ask("two");
            world.Run(200, isCalm: true);
            Assert.All(world.Nodes, node => Assert.Equal("one", Assert.Single(world.PodsOn(node)).Spec.Containers[0].Image));
            world.AskAway(world.PodsOn(world.Nodes[0]).Single());
            world.Run(200, isCalm: true);
            Assert.All(world.Nodes, (node, index) => Assert.Equal(index == 0 ? "two" : "one", Assert.Single(world.PodsOn(node)).Spec.Containers[0].Image));
        });

    /// <param name="MaxUnavailable">So many nodes may be without a pod that serves, for the rollout's sake.</param>
    /// <param name="MaxSurge">So many nodes may have a new pod beside an old one.</param>
    /// <param name="MinReadySeconds">For how long a pod must have been ready.</param>
    private sealed record Options(int MaxUnavailable, int MaxSurge, int MinReadySeconds)
    {
        public bool RenewsOnDelete { get; init; }

        public DaemonSetUpdateStrategy Strategy => RenewsOnDelete ? new DaemonSetUpdateStrategy { Type = "OnDelete" } : new DaemonSetUpdateStrategy
        {
            Type = "RollingUpdate",
            RollingUpdate = new RollingUpdateDaemonSet { MaxUnavailable = new IntOrText(MaxUnavailable, null), MaxSurge = new IntOrText(MaxSurge, null) },
        };
    }

    private sealed class World
    {
        private readonly Options options;
        private readonly Random random;
        private readonly List<Node> nodes;
        private readonly SortedDictionary<string, Pod> pods = new(StringComparer.Ordinal);
        private DateTimeOffset now = DateTimeOffset.UnixEpoch;
        private int made;

        public World(int count, Options options, int seed)
        {
            (this.options, random) = (options, new Random(seed));
            nodes = [.. Enumerable.Range(0, count).Select(number => new Node
            {
                Metadata = new ObjectMeta { Name = $"node-{number}" },
                Spec = new NodeSpec { Unschedulable = number == 1 }, // A cordon keeps no daemon away.
                Status = new NodeStatus { Conditions = [new NodeCondition { Type = NodeConditionTypes.Ready, Status = ConditionStatuses.True }] },
            })];
        }

        public DaemonSet Set { get; private set; } = new() { Metadata = new ObjectMeta { Namespace = "ns", Name = "log", Uid = "uid-log" } };

        public List<Node> Nodes => nodes;

        private string Hash => RevisionPlanner.HashOf(RevisionPlanner.For(Set, Set.Spec.Template, [], _ => false, null, 0).Current);

        public static bool Fits(Node node) => node.Spec.Taints.Count == 0;

        public static bool Repels(Node node) => node.Spec.Taints.Any(taint => taint.Effect == TaintEffects.NoExecute);

        public IEnumerable<Pod> PodsOn(Node node) => pods.Values.Where(pod => DaemonPods.NodeOf(pod) == node.Metadata.Name);

        public void Ask(string image) => Set = Set with
        {
            Spec = new DaemonSetSpec
            {
                MinReadySeconds = options.MinReadySeconds,
                UpdateStrategy = options.Strategy,
                Selector = new LabelSelectorSpec { MatchLabels = new Dictionary<string, string> { ["app"] = "log" } },
                Template = new PodTemplate
                {
                    Metadata = new ObjectMeta { Labels = new Dictionary<string, string> { ["app"] = "log" } },
                    Spec = new PodSpec { Containers = [new Container { Name = "main", Image = image }] },
                },
            },
        };

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

        private int Missing() => nodes.Count(node => Fits(node) && !PodsOn(node).Any(Serves));

        private PodStatus Status(bool isReady) => new()
        {
            Phase = PodPhases.Running,
            Conditions = [new PodCondition { Type = PodConditionTypes.Ready, Status = isReady ? ConditionStatuses.True : ConditionStatuses.False, LastTransitionTime = now }],
        };

        private void Happen(bool isCalm)
        {
            if (!isCalm && random.Next(6) == 0)
            {
                var index = random.Next(nodes.Count);
                var effect = random.Next(4) switch { 0 => TaintEffects.NoExecute, 1 => TaintEffects.NoSchedule, _ => null };
                nodes[index] = nodes[index] with { Spec = nodes[index].Spec with { Taints = effect is null ? [] : [new Taint { Key = Spot, Effect = effect }] } };
            }

            foreach (var (name, pod) in pods.ToList())
            {
                if (pod.Metadata.DeletionTimestamp is not null)
                {
                    if (random.Next(3) == 0) // It takes its time to end.
                    {
                        pods.Remove(name);
                    }
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
            var plan = DaemonSetPlanner.For(Set, Hash, nodes, [.. pods.Values], now);
            var writes = plan.Delete.Select(pod => (Action)(() => Delete(pod))).ToList();
            writes.AddRange(plan.CreateOn.Select(node => (Action)(() => Create(node))));
            writes.Add(() => Set = Set with { Status = plan.Status });
            foreach (var write in writes.Take(dies ? random.Next(writes.Count + 1) : writes.Count))
            {
                write();
            }
        }

        private void Create(string nodeName)
        {
            var node = nodes.Single(each => each.Metadata.Name == nodeName);
            Assert.True(Fits(node), $"a pod is made for {nodeName}, which does not fit");
            var there = PodsOn(node).ToList();
            if (options.MaxSurge == 0 || options.RenewsOnDelete)
            {
                Assert.Empty(there);
            }
            else
            {
                Assert.All(there, pod => Assert.True(PodFacts.IsActive(pod), "one is made beside one that is ending, or has just failed"));
                Assert.True(there.Count <= 1, "a third one is made");
                Assert.True(there.Count == 0 || nodes.Count(each => PodsOn(each).Count(PodFacts.IsActive) > 1) < options.MaxSurge, "more nodes than may have two");
            }

            var fresh = DaemonPods.Make(Set, Hash, nodeName);
            var name = $"log-{++made:0000}";
            pods[name] = fresh with
            {
                Metadata = fresh.Metadata with { Name = name, Uid = "uid-" + name, CreationTimestamp = now },
                Spec = fresh.Spec with { NodeName = nodeName },
                Status = Status(isReady: false),
            };
        }

        private void Delete(Pod pod)
        {
            var node = nodes.Single(each => each.Metadata.Name == DaemonPods.NodeOf(pod));
            if (Fits(node) && PodFacts.IsActive(pod))
            {
                Assert.False(options.RenewsOnDelete, "a pod is taken that nobody deleted");
                var served = PodsOn(node).Any(Serves);
                AskAway(pod);
                Assert.True(!served || PodsOn(node).Any(Serves) || Missing() <= options.MaxUnavailable, $"{Missing()} nodes are without a pod that serves, and {options.MaxUnavailable} may be");
            }
            else
            {
                Assert.True(!PodFacts.IsActive(pod) || Repels(node) || !Fits(node));
                Assert.True(PodFacts.IsActive(pod) || Repels(node) || now - pod.Metadata.CreationTimestamp >= DaemonSetPlanner.FailedFor, "one that has failed is taken away too soon");
                AskAway(pod);
            }
        }
    }
}
