using CsCheck;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Client.Tests;

public sealed class CacheSnapshotTests
{
    private static readonly Gen<Pod> AnyPod =
        from name in Gen.Int[0, 5]
        from node in Gen.Int[0, 3]
        from owners in Gen.Int[0, 3].Array[0, 3]
        select new Pod
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = $"p{name}", OwnerReferences = [.. owners.Select(owner => new OwnerReference { Uid = $"o{owner}" })] },
            Spec = new PodSpec { NodeName = node == 0 ? null : $"n{node}" },
        };

    [Fact]
    public void Whatever_comes_moves_and_goes_groups_and_owners_are_found_as_by_a_look_at_all() => Gen.Select(AnyPod, Gen.Bool).Array[0, 30].Sample(changes =>
    {
        var snapshot = CacheSnapshot.Of<Pod>([], groupOf: pod => pod.Spec.NodeName);
        foreach (var (pod, goes) in changes)
        {
            snapshot = goes ? snapshot.Without(ResourceKey.Of(pod)) : snapshot.With(pod);
            var listed = CacheSnapshot.Of(snapshot.Items, groupOf: each => each.Spec.NodeName);
            foreach (var number in Enumerable.Range(0, 4))
            {
                Assert.Equal(snapshot.Items.Where(each => each.Spec.NodeName == $"n{number}"), snapshot.InGroup($"n{number}"));
                Assert.Equal(snapshot.Items.Where(each => each.Metadata.OwnerReferences.Any(owner => owner.Uid == $"o{number}")), snapshot.OwnedBy($"o{number}"));
                Assert.Equal(listed.InGroup($"n{number}"), snapshot.InGroup($"n{number}"));
            }

            Assert.Equal(snapshot.Items.Select(each => each.Spec.NodeName).OfType<string>().Distinct().Order(StringComparer.Ordinal), snapshot.Groups.Order(StringComparer.Ordinal));
        }
    });

    [Fact]
    public void Who_asks_for_groups_where_there_are_none_is_told_so() =>
        Assert.Throws<InvalidOperationException>(() => CacheSnapshot.Of<Pod>([]).InGroup("n1").ToList());
}
