using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads.Deployments;
using Godwit.Controllers.Workloads.ReplicaSets;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>What time alone changes of a deployment: a rollout that stands still for too long says so, and a pod counts when it has been ready for long enough.</summary>
public sealed class DeploymentStatusTests
{
    private const int DeadlineSeconds = 60;
    private static readonly DateTimeOffset Begin = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_rollout_that_makes_no_progress_for_its_deadline_says_so_and_every_progress_counts_the_time_anew()
    {
        var rollout = new Rollout(DeadlineSeconds);
        Assert.Equal(("True", "ReplicaSetUpdated", 60), rollout.Look(0, updated: 1, available: 0));
        Assert.Equal(("True", "ReplicaSetUpdated", 15), rollout.Look(45, updated: 1, available: 0));
        Assert.Equal(("True", "ReplicaSetUpdated", 60), rollout.Look(59, updated: 2, available: 0)); // One more was made.
        Assert.Equal(("True", "ReplicaSetUpdated", 60), rollout.Look(118, updated: 2, available: 1)); // One more serves.
        Assert.Equal(("True", "ReplicaSetUpdated", 1), rollout.Look(177, updated: 2, available: 1));
        Assert.Equal(("False", "ProgressDeadlineExceeded", null), rollout.Look(178, updated: 2, available: 1));
        Assert.Equal(("False", "ProgressDeadlineExceeded", null), rollout.Look(500, updated: 2, available: 1));
        Assert.Equal(("True", "ReplicaSetUpdated", 60), rollout.Look(501, updated: 2, available: 2)); // Late, and it goes on.
        Assert.Equal(("True", "NewReplicaSetAvailable", null), rollout.Look(502, updated: 3, available: 3));
    }

    [Fact]
    public void What_is_done_may_rest_for_ever_and_its_next_rollout_has_all_of_its_time()
    {
        var rollout = new Rollout(DeadlineSeconds);
        Assert.Equal(("True", "NewReplicaSetAvailable", null), rollout.Look(0, updated: 3, available: 3));
        Assert.Equal(("True", "NewReplicaSetAvailable", null), rollout.Look(100_000, updated: 3, available: 3));
        Assert.Equal(("True", "ReplicaSetUpdated", 60), rollout.Look(200_000, updated: 3, available: 2));
    }

    [Fact]
    public void While_a_rollout_is_paused_no_time_counts()
    {
        var rollout = new Rollout(DeadlineSeconds);
        Assert.Equal(("True", "ReplicaSetUpdated", 60), rollout.Look(0, updated: 1, available: 0));
        Assert.Equal(("Unknown", "DeploymentPaused", null), rollout.Look(50, updated: 1, available: 0, isPaused: true));
        Assert.Equal(("Unknown", "DeploymentPaused", null), rollout.Look(1000, updated: 1, available: 0, isPaused: true));
        Assert.Equal(("True", "ReplicaSetUpdated", 60), rollout.Look(1001, updated: 1, available: 0));
        Assert.Equal(("False", "ProgressDeadlineExceeded", null), rollout.Look(1061, updated: 1, available: 0));
    }

    [Fact]
    public void Without_a_deadline_nothing_is_ever_late()
    {
        var rollout = new Rollout(int.MaxValue);
        Assert.Equal(("True", "ReplicaSetUpdated", null), rollout.Look(0, updated: 1, available: 0));
        Assert.Equal(("True", "ReplicaSetUpdated", null), rollout.Look(1_000_000, updated: 1, available: 0));
    }

    [Fact]
    public void A_pod_counts_as_available_when_it_has_been_ready_for_as_long_as_asked_and_the_set_looks_again_then()
    {
        var set = new ReplicaSet
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = "web", Uid = "uid-web" },
            Spec = new ReplicaSetSpec { Replicas = 3, MinReadySeconds = 30, Selector = new LabelSelectorSpec { MatchLabels = Labels } },
        };
        Pod[] pods = [ReadyPod("a", 0), ReadyPod("b", 20), ReadyPod("c", null)];

        var plan = ReplicaSetPlanner.For(set, pods, Begin.AddSeconds(29));
        Assert.Equal((2, 0, TimeSpan.FromSeconds(1)), (plan.Status.ReadyReplicas, plan.Status.AvailableReplicas, plan.NextAvailable));
        plan = ReplicaSetPlanner.For(set, pods, Begin.AddSeconds(30));
        Assert.Equal((2, 1, TimeSpan.FromSeconds(20)), (plan.Status.ReadyReplicas, plan.Status.AvailableReplicas, plan.NextAvailable));
        plan = ReplicaSetPlanner.For(set, pods, Begin.AddSeconds(50));
        Assert.Equal((2, 2, null), (plan.Status.ReadyReplicas, plan.Status.AvailableReplicas, plan.NextAvailable));
    }

    [Fact]
    public void A_pod_of_a_node_whose_clock_is_ahead_counts_as_available_at_once_where_no_time_is_asked_for()
    {
        var set = new ReplicaSet
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = "web", Uid = "uid-web" },
            Spec = new ReplicaSetSpec { Replicas = 1, Selector = new LabelSelectorSpec { MatchLabels = Labels } },
        };

        var plan = ReplicaSetPlanner.For(set, [ReadyPod("a", 3600)], Begin);

        Assert.Equal((1, null), (plan.Status.AvailableReplicas, plan.NextAvailable));
    }

    private static Dictionary<string, string> Labels { get; } = new(StringComparer.Ordinal) { ["app"] = "web" };

    private static Pod ReadyPod(string name, int? readySince) => new()
    {
        Metadata = new ObjectMeta
        {
            Namespace = "ns",
            Name = name,
            Uid = name,
            Labels = Labels,
            OwnerReferences = [new OwnerReference { ApiVersion = "apps/v1", Kind = "ReplicaSet", Name = "web", Uid = "uid-web", Controller = true }],
        },
        Status = new PodStatus
        {
            Phase = PodPhases.Running,
            Conditions = readySince is { } seconds ? [new PodCondition { Type = PodConditionTypes.Ready, Status = ConditionStatuses.True, LastTransitionTime = Begin.AddSeconds(seconds) }] : [],
        },
    };

    /// <summary>A deployment of three pods that is looked at again and again.</summary>
    private sealed class Rollout(int deadlineSeconds)
    {
        private Deployment deployment = new()
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = "web", Uid = "uid-web" },
            Spec = new DeploymentSpec { Replicas = 3, ProgressDeadlineSeconds = deadlineSeconds },
        };

        /// <returns>The condition <c>Progressing</c>, and after how many seconds to look again.</returns>
        public (string Status, string Reason, int? NextSeconds) Look(int second, int updated, int available, bool isPaused = false)
        {
            deployment = deployment with { Spec = deployment.Spec with { Paused = isPaused } };
            var set = new ReplicaSet { Metadata = new ObjectMeta { Name = "web-1" }, Status = new ReplicaSetStatus { Replicas = updated, ReadyReplicas = available, AvailableReplicas = available } };
            var plan = DeploymentStatusPlanner.For(new DeploymentView(deployment, [set], _ => false, _ => false, Begin.AddSeconds(second)), set, []);
            deployment = deployment with { Status = plan.Status };
            var condition = Assert.Single(plan.Status.Conditions, condition => condition.Type == "Progressing");
            return (condition.Status, condition.Reason!, plan.NextLook is { } next ? (int)next.TotalSeconds : null);
        }
    }
}
