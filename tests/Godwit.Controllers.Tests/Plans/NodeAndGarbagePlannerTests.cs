using Godwit.Api.Coordination.V1;
using Godwit.Controllers.Garbage;
using Godwit.Controllers.Nodes;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Controllers.Tests.Plans;

public sealed class NodeAndGarbagePlannerTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(50);
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(39);
    private static readonly TimeSpan Silent = TimeSpan.FromSeconds(40);

    [Fact]
    public void Only_a_silent_and_deleted_node_loses_its_guest()
    {
        var vmi = new VirtualMachineInstance { Status = new() { NodeName = "n", Phase = "Running" } };

        Assert.IsType<GuestVerdict.Fine>(NodeLifecyclePlanner.ForGuest(vmi, nodeExists: true, Fresh, null));
        Assert.IsType<GuestVerdict.NotKnown>(NodeLifecyclePlanner.ForGuest(vmi, nodeExists: true, Silent, null));
        Assert.IsType<GuestVerdict.NotKnown>(NodeLifecyclePlanner.ForGuest(vmi, nodeExists: true, TimeSpan.FromDays(900), null));
        Assert.IsType<GuestVerdict.Fine>(NodeLifecyclePlanner.ForGuest(vmi, nodeExists: false, Fresh, null));
        Assert.IsType<GuestVerdict.Lost>(NodeLifecyclePlanner.ForGuest(vmi, nodeExists: false, Silent, null));
    }

    [Fact]
    public void The_object_of_an_ended_guest_waits_for_its_agent_only_while_there_may_be_one()
    {
        var ended = new VirtualMachineInstance
        {
            Metadata = new() { Finalizers = [FinalizerNames.Agent] },
            Status = new() { NodeName = "n", Phase = "Failed" },
        };

        Assert.IsType<GuestVerdict.Released>(NodeLifecyclePlanner.ForGuest(ended, nodeExists: false, Silent, null));
        Assert.IsType<GuestVerdict.Fine>(NodeLifecyclePlanner.ForGuest(ended, nodeExists: true, Silent, null));
        Assert.IsType<GuestVerdict.Fine>(NodeLifecyclePlanner.ForGuest(ended, nodeExists: false, Fresh, null));
    }

    [Fact]
    public void A_guest_in_a_move_may_be_the_targets_and_is_not_called_lost()
    {
        var vmi = new VirtualMachineInstance { Status = new() { NodeName = "n", Phase = "Running" } };
        var move = new VirtualMachineInstanceMigration { Status = new() { MigrationState = new() { TargetNode = "t" } } };

        Assert.IsType<GuestVerdict.NotKnown>(NodeLifecyclePlanner.ForGuest(vmi, nodeExists: false, Silent, move));
    }

    [Fact]
    public void A_guest_that_was_moved_is_lost_with_the_node_that_has_it_in_words_that_name_it()
    {
        var vmi = new VirtualMachineInstance { Status = new() { NodeName = "n", Phase = "Running" } };

        Assert.Contains("node t, to which the guest was moved,", Assert.IsType<GuestVerdict.Lost>(NodeLifecyclePlanner.ForGuest(vmi, nodeExists: false, Silent, null, "t")).Message, StringComparison.Ordinal);
        Assert.Contains("'kubectl delete node t'", Assert.IsType<GuestVerdict.NotKnown>(NodeLifecyclePlanner.ForGuest(vmi, nodeExists: true, Silent, null, "t")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_silent_node_is_tainted_once_and_a_fresh_one_keeps_its_other_taints()
    {
        var own = new Taint { Key = "own", Effect = TaintEffects.NoSchedule };
        var node = new Node { Spec = new() { Taints = [own] } };

        var silent = NodeLifecyclePlanner.ForNode(node, Silent, Now);
        Assert.Equal([("own", TaintEffects.NoSchedule), (TaintKeys.Unreachable, TaintEffects.NoSchedule), (TaintKeys.Unreachable, TaintEffects.NoExecute)], silent.Taints.Select(taint => (taint.Key, taint.Effect)));
        Assert.Equal(ConditionStatuses.Unknown, silent.Ready!.Status);
        var tainted = node with { Spec = new() { Taints = silent.Taints }, Status = new() { Conditions = [silent.Ready] } };

        var again = NodeLifecyclePlanner.ForNode(tainted, Silent, Now.AddHours(1));
        Assert.Same(tainted.Spec.Taints, again.Taints);
        Assert.Equal(Now, again.Ready!.LastTransitionTime);

        var back = NodeLifecyclePlanner.ForNode(tainted, Fresh, Now);
        Assert.Equal([own], back.Taints);
        Assert.Null(back.Ready);
    }

    [Fact]
    public void A_node_that_is_short_of_memory_or_disk_is_tainted_until_it_says_that_it_is_not()
    {
        var own = new Taint { Key = "own", Effect = TaintEffects.NoSchedule };
        var node = new Node { Spec = new NodeSpec { Taints = [own] }, Status = new NodeStatus { Conditions = [Condition(NodeConditionTypes.MemoryPressure, "True"), Condition(NodeConditionTypes.DiskPressure, "True")] } };
        var taints = NodeLifecyclePlanner.ForNode(node, Fresh, Now).Taints;
        Assert.Equal([("own", "NoSchedule"), (TaintKeys.MemoryPressure, "NoSchedule"), (TaintKeys.DiskPressure, "NoSchedule")], taints.Select(taint => (taint.Key, taint.Effect)));

        var tainted = node with { Spec = new NodeSpec { Taints = taints } };
        Assert.Same(taints, NodeLifecyclePlanner.ForNode(tainted, Fresh, Now.AddHours(1)).Taints);
        var better = tainted with { Status = new NodeStatus { Conditions = [Condition(NodeConditionTypes.MemoryPressure, "False"), Condition(NodeConditionTypes.DiskPressure, "True")] } };
        Assert.Equal(["own", TaintKeys.DiskPressure], NodeLifecyclePlanner.ForNode(better, Fresh, Now).Taints.Select(taint => taint.Key));
        Assert.Contains(NodeLifecyclePlanner.ForNode(better, Silent, Now).Taints, taint => taint.Key == TaintKeys.MemoryPressure); // What a silent node said last.

        static NodeCondition Condition(string type, string status) => new() { Type = type, Status = status };
    }

    [Fact]
    public void Silence_counts_by_our_clock_from_the_last_change_that_we_saw()
    {
        var clock = new FakeTimeProvider();
        var monitor = new HeartbeatMonitor(clock);
        var lease = new Lease { Metadata = new() { Uid = "l" }, Spec = new() { RenewTime = Now } };

        Assert.Equal(TimeSpan.Zero, monitor.Silence("n", lease)); // Seen for the first time, however old its own time is.
        clock.Advance(Silent);
        Assert.Equal(Silent, monitor.Silence("n", lease));
        Assert.Equal(TimeSpan.Zero, monitor.Silence("n", lease with { Spec = new() { RenewTime = Now.AddSeconds(-500) } }));
        Assert.Equal(TimeSpan.Zero, monitor.Silence("other", null));
    }

    [Fact]
    public void An_object_goes_only_when_all_its_owners_are_gone_for_certain()
    {
        Assert.IsType<GarbagePlan.Nothing>(Plan([]));
        Assert.IsType<GarbagePlan.Delete>(Plan([OwnerState.Gone]));
        Assert.IsType<GarbagePlan.Delete>(Plan([OwnerState.Gone, OwnerState.Gone]));
        Assert.IsType<GarbagePlan.Nothing>(Plan([OwnerState.Gone, OwnerState.Present]));
        Assert.IsType<GarbagePlan.Nothing>(Plan([OwnerState.NotKnown]));
    }

    [Theory]
    [InlineData(FinalizerNames.ForegroundDeletion, true, typeof(GarbagePlan.DeleteDependents))]
    [InlineData(FinalizerNames.ForegroundDeletion, false, typeof(GarbagePlan.DropFinalizer))]
    [InlineData(FinalizerNames.Orphan, true, typeof(GarbagePlan.OrphanDependents))]
    [InlineData(FinalizerNames.Orphan, false, typeof(GarbagePlan.DropFinalizer))]
    [InlineData(FinalizerNames.Agent, true, typeof(GarbagePlan.Nothing))]
    public void A_deletion_that_waits_for_dependents_is_carried_out(string finalizer, bool hasDependents, Type expected)
    {
        var owner = new VirtualMachine { Metadata = new() { DeletionTimestamp = Now, Finalizers = [finalizer] } };

        var plan = GarbagePlanner.For(new OwnedObject(owner, hasDependents ? [new VirtualMachineInstance()] : [], []));

        Assert.IsType(expected, plan);
    }

    [Fact]
    public void An_event_expires_an_hour_after_it_was_last_seen()
    {
        var told = new Event { LastTimestamp = Now, FirstTimestamp = Now.AddDays(-1) };

        Assert.False(EventExpiry.IsExpired(told, Now.AddMinutes(60)));
        Assert.True(EventExpiry.IsExpired(told, Now.AddMinutes(61)));
    }

    private static GarbagePlan Plan(IReadOnlyList<OwnerState> owners) => GarbagePlanner.For(new OwnedObject(new VirtualMachineInstance(), [], owners));
}
