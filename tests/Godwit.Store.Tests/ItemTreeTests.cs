using CsCheck;
using Godwit.Store.Caching;

namespace Godwit.Store.Tests;

public sealed class ItemTreeTests
{
    private static readonly Gen<string> Key = Gen.Select(Gen.OneOf("a/", "b/", "b/c/"), Gen.Int[0, 700]).Select((prefix, number) => prefix + number);

    [Fact]
    public void Any_sequence_of_changes_ends_as_in_a_sorted_dictionary_and_leaves_older_maps_as_they_were() =>
        Gen.Select(Gen.Select(Key, Gen.Bool).List[0, 3000], Key).Sample(
            (changes, after) =>
            {
                var model = new SortedDictionary<string, StoreItem>(StringComparer.Ordinal);
                var (tree, revision, older) = (ItemTree.Empty, 0L, new List<(ItemTree Tree, string[] Keys)>());
                foreach (var (key, removes) in changes)
                {
                    revision++;
                    if (removes && revision % 3 > 0)
                    {
                        model.Remove(key);
                        tree = tree.Remove(key);
                    }
                    else
                    {
                        tree = tree.Set(model[key] = new StoreItem(key, default, revision, revision));
                    }

                    if (revision % 500 == 0)
                    {
                        older.Add((tree, [.. model.Keys]));
                    }
                }

                Assert.All(older, state => Assert.Equal(state.Keys, state.Tree.Under("", null).Select(item => item.Key)));
                Assert.Equal(model.Values, ItemTree.Of(model.Values).Under("", null));
                foreach (var prefix in (string[])["", "a", "a/", "b/", "b/c/", "c"])
                {
                    Check(tree, model, prefix, null);
                    Check(tree, model, prefix, after);
                }

                Assert.Same(model.GetValueOrDefault(after), tree.Find(after));
            },
            iter: 30,
            threads: 1);

    private static void Check(ItemTree tree, SortedDictionary<string, StoreItem> model, string prefix, string? after)
    {
        var meant = model.Values.Where(item => item.Key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(item.Key, after) > 0).ToList();
        var range = tree.Under(prefix, after);
        Assert.Equal(meant, range);
        Assert.Equal(meant.Count, range.Count);
        Assert.Equal(meant.Take(7), range.Take(7));
        if (meant.Count > 0)
        {
            Assert.Same(meant[^1], range[^1]);
        }
    }
}
