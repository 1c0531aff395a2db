using Godwit.Controllers.Placements;
using Godwit.Controllers.Tests.Simulation;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>Whose turn it is to be given a node, and for how long a place is promised.</summary>
public sealed class PodTurnTests
{
    [Fact]
    public void A_sweep_gives_every_pod_its_turn_the_important_and_the_old_first()
    {
        var waiting = Enumerable.Range(0, 1300).Select(number => Waiting($"p{number}", priority: number % 2, age: number)).ToList();
        var (aside, seen) = (new HashSet<string>(), new List<Pod>());
        for (var round = 0; round < 3; round++)
        {
            var turn = PodRoundPlanner.TurnOf(waiting, _ => false, pod => aside.Contains(pod.Metadata.Uid));
            Assert.Equal(round == 2, turn.IsLast);
            Assert.Equal(round == 2 ? 300 : PodRoundPlanner.PodsMax, turn.Pods.Count);
            seen.AddRange(turn.Pods);
            aside.UnionWith(turn.Pods.Select(pod => pod.Metadata.Uid));
        }

        Assert.Equal(waiting.OrderByDescending(pod => pod.Spec.Priority).ThenBy(pod => pod.Metadata.CreationTimestamp).Select(pod => pod.Metadata.Name), seen.Select(pod => pod.Metadata.Name));
    }

    [Fact]
    public void Who_keeps_a_place_is_in_every_round_and_takes_no_turn_from_others()
    {
        var promised = Waiting("promised", priority: 0, age: 0);
        var nominated = Waiting("nominated", priority: 5, age: 1) with { Status = new PodStatus { NominatedNodeName = "a" } };
        var others = Enumerable.Range(0, PodRoundPlanner.PodsMax).Select(number => Waiting($"p{number}", priority: 9, age: number)).ToList();
        var turn = PodRoundPlanner.TurnOf([.. others, nominated, promised], pod => pod == promised, _ => false);
        Assert.True(turn.IsLast);
        Assert.Equal([promised, .. others, nominated], turn.Pods);
        Assert.Equal([promised, nominated], PodRoundPlanner.TurnOf([.. others, nominated, promised], pod => pod == promised, _ => true).Pods);
    }

    [Fact]
    public void A_promise_ends_with_its_time_with_its_pod_and_when_it_is_taken_back()
    {
        var clock = new SimulatedClock(DateTimeOffset.UnixEpoch.AddYears(1));
        var promises = new PromisedNodes(clock);
        var (one, two) = (Waiting("one", 0, 0), Waiting("two", 0, 0));
        promises.Promise(one, "a");
        promises.Promise(two, "b");
        Assert.Equal(("a", "b"), (promises.NodeOf(one), promises.NodeOf(two)));
        promises.TakeBack(one);
        Assert.Null(promises.NodeOf(one));

        clock.Set(-2 * PromisedNodes.KeptFor); // Whatever becomes of the time of day.
        clock.Advance(PromisedNodes.KeptFor / 2);
        promises.Promise(two, "b"); // Said again, it lasts no longer.
        promises.Promise(one, "a");
        clock.Advance(PromisedNodes.KeptFor / 2);
        Assert.Equal(("a", null), (promises.NodeOf(one), promises.NodeOf(two)));
        promises.Promise(two, "b");
        Assert.Null(promises.NodeOf(two));
        promises.Promise(two, "c");
        Assert.Equal("c", promises.NodeOf(two));

        promises.Keep([one with { Spec = one.Spec with { NodeName = "a" } }, two]);
        Assert.Equal((null, "c"), (promises.NodeOf(one), promises.NodeOf(two)));
    }

    private static Pod Waiting(string name, int priority, int age) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = name, Uid = "uid-" + name, CreationTimestamp = DateTimeOffset.UnixEpoch.AddSeconds(age) },
        Spec = new PodSpec { Priority = priority },
    };
}
