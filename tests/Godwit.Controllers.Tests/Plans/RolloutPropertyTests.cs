using CsCheck;
using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads.Deployments;
using Revisions = Godwit.Controllers.Workloads.Deployments.Revisions;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>
/// A deployment and its sets from a seed, without a server: any of them may take its turn at any time, the deployment sees each set's
/// counts as old as they come, and dies between two of its writes.
/// </summary>
public sealed class RolloutPropertyTests
{
    private const int TurnsMax = 50_000;

    [Fact]
    public void A_rollout_never_has_more_pods_or_fewer_available_than_its_bounds_and_always_ends() =>
        Gen.Select(Gen.Int[1, 12], Gen.Int[0, 100], Gen.Int[0, 100], Gen.Int).Sample((replicas, surgePercent, unavailablePercent, seed) =>
        {
            var world = new World(replicas, $"{surgePercent}%", $"{unavailablePercent}%", seed);
            world.Settle("image:1");
            var bounds = RolloutBounds.Of(world.Deployment);
            for (var version = 2; version <= 4; version++)
            {
                world.Ask($"image:{version}");
                for (var turn = 0; turn < TurnsMax && !world.IsDone; turn++)
                {
                    world.Turn();
                    Assert.True(world.Total <= replicas + bounds.Surge, $"{world.Total} pods, {replicas} are asked for and {bounds.Surge} more allowed");
                    Assert.True(world.Available >= replicas - bounds.Unavailable, $"{world.Available} available of {replicas}, and {bounds.Unavailable} may be missing");
                }

                Assert.True(world.IsDone, "the rollout does not end");
            }
        });

    private sealed class World(int replicas, string surge, string unavailable, int seed)
    {
        private readonly Random random = new(seed);
        private readonly Dictionary<string, (ReplicaSet Set, List<bool> Ready)> sets = new(StringComparer.Ordinal);
        private DateTimeOffset now = DateTimeOffset.UnixEpoch;

        public Deployment Deployment { get; private set; } = new()
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = "web", Uid = "uid-web" },
            Spec = new DeploymentSpec
            {
                Replicas = replicas,
                Strategy = new DeploymentStrategy { RollingUpdate = new RollingUpdateDeployment { MaxSurge = new IntOrText(0, surge), MaxUnavailable = new IntOrText(0, unavailable) } },
            },
        };

        public int Total => sets.Values.Sum(each => each.Ready.Count);

        public int Available => sets.Values.Sum(each => each.Ready.Count(ready => ready));

        public bool IsDone => sets.Values.All(each => each.Ready.Count == each.Set.Spec.Replicas && each.Ready.Count(ready => ready) == each.Set.Status.AvailableReplicas)
            && Revisions.FindCurrent(Deployment, Sets()) is { } current && current.Status.AvailableReplicas == replicas && Total == replicas;

        public void Ask(string image) => Deployment = Deployment with
        {
            Spec = Deployment.Spec with { Template = new PodTemplate { Spec = new PodSpec { Containers = [new Container { Name = "main", Image = image }] } } },
        };

        public void Settle(string image)
        {
            Ask(image);
            for (var turn = 0; turn < TurnsMax && !IsDone; turn++)
            {
                Turn();
            }

            Assert.True(IsDone);
        }

        public void Turn()
        {
            now += TimeSpan.FromSeconds(1);
            var names = sets.Keys.Order(StringComparer.Ordinal).ToList();
            var chosen = names.Count == 0 ? null : names[random.Next(names.Count)];
            switch (random.Next(4))
            {
                case 0 or 1 when chosen is null:
                case 0:
                    LookAtDeployment();
                    break;
                case 1 when chosen is not null:
                    MatchPods(chosen);
                    break;
                case 2 when chosen is not null: // A pod becomes ready.
                    var ready = sets[chosen].Ready;
                    if (ready.IndexOf(false) is >= 0 and var index)
                    {
                        ready[index] = true;
                    }

                    break;
                case 3 when chosen is not null: // The set tells its counts, which were old until now.
                    var (set, pods) = sets[chosen];
                    sets[chosen] = (set with { Status = set.Status with { Replicas = pods.Count, AvailableReplicas = pods.Count(each => each) } }, pods);
                    break;
            }
        }

        private List<ReplicaSet> Sets() => [.. sets.Values.Select(each => each.Set)];

        private void LookAtDeployment()
        {
            var plan = DeploymentPlanner.For(new DeploymentView(Deployment, Sets(), sets.ContainsKey, _ => false, now));
            foreach (var step in plan.Steps.Take(random.Next(plan.Steps.Count + 1))) // It may die after any of them.
            {
                switch (step)
                {
                    case DeploymentStep.Create create:
                        sets[create.Set.Metadata.Name] = (create.Set with { Metadata = create.Set.Metadata with { CreationTimestamp = now } }, []);
                        break;
                    case DeploymentStep.Change change:
                        sets[change.After.Metadata.Name] = (change.After, sets[change.After.Metadata.Name].Ready);
                        break;
                    case DeploymentStep.Delete delete:
                        sets.Remove(delete.Set.Metadata.Name);
                        break;
                    case DeploymentStep.Annotate annotate:
                        Deployment = Deployment with { Metadata = Deployment.Metadata with { Annotations = annotate.Annotations } };
                        break;
                }
            }

            Deployment = Deployment with { Status = plan.Status };
        }

        /// <summary>What the set's own controller does: not ready ones go first.</summary>
        private void MatchPods(string name)
        {
            var (set, ready) = sets[name];
            while (ready.Count < set.Spec.Replicas)
            {
                ready.Add(false);
            }

            while (ready.Count > set.Spec.Replicas)
            {
                ready.RemoveAt(ready.IndexOf(false) is >= 0 and var index ? index : 0);
            }
        }
    }
}
