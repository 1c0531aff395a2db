using System.Collections.Immutable;
using CsCheck;
using Godwit.Controllers.Addresses;

namespace Godwit.Controllers.Tests.Plans;

public sealed class PodAddressPlanTests
{
    private const int Capacity = 13; // Of a /28: neither its ends nor the gateway.

    [Fact]
    public void However_many_ask_at_once_each_gets_an_address_that_nobody_has_or_is_told_that_there_is_none() =>
        Gen.Select(Gen.Int[0, 20], Gen.Int[1, Capacity].HashSet[0, Capacity], Gen.Int[0, 1000]).Sample((count, taken, seed) =>
        {
            var pods = Pods(count, seed);
            var takenAddresses = taken.Select(Address).ToHashSet(StringComparer.Ordinal);

            var plans = PodAddressPlanner.ForAll(pods, takenAddresses.ToHashSet(StringComparer.Ordinal), ImmutableDictionary<string, string>.Empty, Settings);

            var given = plans.Select(each => each.Plan).OfType<PodAddressPlan.Assign>().Select(assign => assign.Address).ToList();
            Assert.Equal(pods, plans.Select(each => each.Pod));
            Assert.Equal(Math.Min(count, Capacity - takenAddresses.Count), given.Count);
            Assert.Equal(given.Count, given.Distinct().Count());
            Assert.Empty(given.Intersect(takenAddresses));
            Assert.All(plans.Select(each => each.Plan).OfType<PodAddressPlan.Wait>(), wait => Assert.Equal(AddressPlanner.PoolExhausted, wait.Reason));
        });

    /// <summary>Its write had no answer: it may be the pod's already, so it is nobody else's.</summary>
    [Fact]
    public void What_a_pod_was_given_and_does_not_show_yet_is_given_to_it_again_and_to_nobody_else()
    {
        var pods = Pods(Capacity, 7);
        var first = PodAddressPlanner.ForAll(pods, [], ImmutableDictionary<string, string>.Empty, Settings);
        var given = first.ToDictionary(each => each.Pod.Metadata.Uid, each => ((PodAddressPlan.Assign)each.Plan).Address, StringComparer.Ordinal);

        Assert.IsType<PodAddressPlan.Wait>(Assert.Single(PodAddressPlanner.ForAll(Pods(1, 8), [], given, Settings)).Plan);
        Assert.Equal(first, PodAddressPlanner.ForAll(pods, [], given, Settings));
    }

    [Fact]
    public void What_was_given_of_a_range_that_is_another_now_is_not_given_again()
    {
        var pod = Assert.Single(Pods(1, 9));
        var given = new Dictionary<string, string>(StringComparer.Ordinal) { [pod.Metadata.Uid] = "192.0.2.9" };

        var plan = Assert.IsType<PodAddressPlan.Assign>(Assert.Single(PodAddressPlanner.ForAll([pod], [], given, Settings)).Plan);

        Assert.StartsWith("10.77.0.", plan.Address, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_network_each_is_told_so() => Assert.All(
        PodAddressPlanner.ForAll(Pods(3, 1), [], ImmutableDictionary<string, string>.Empty, settings: null),
        each => Assert.Equal(AddressPlanner.PoolMissing, Assert.IsType<PodAddressPlan.Wait>(each.Plan).Reason));

    private static ConfigMap Settings => new() { Data = new Dictionary<string, string> { ["cidr"] = "10.77.0.0/28", ["gateway"] = "10.77.0.1" } };

    private static string Address(int number) => $"10.77.0.{number + 1}";

    private static IReadOnlyList<Pod> Pods(int count, int seed) =>
        [.. Enumerable.Range(0, count).Select(number => new Pod { Metadata = new ObjectMeta { Namespace = "default", Name = $"pod-{number}", Uid = $"{seed}-{number}" } })];
}
