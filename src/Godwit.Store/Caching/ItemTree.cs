using System.Collections;

namespace Godwit.Store.Caching;

/// <summary>
/// An immutable ordered map from keys to items in two levels: leaves of neighbouring items, and the array of leaves. A
/// change copies one leaf and the array, a few kilobytes; everything else is shared with the map before it. So a reader
/// keeps the map that it began with for as long as it likes, and no writer waits for it.
/// </summary>
internal sealed class ItemTree
{
    public const int LeafItemsMax = 256;

    public static readonly ItemTree Empty = new([]);

    private readonly StoreItem[][] leaves; // No leaf is empty; keys rise through all of them.

    private ItemTree(StoreItem[][] leaves) => this.leaves = leaves;

    /// <summary>The map of items whose keys rise.</summary>
    public static ItemTree Of(IEnumerable<StoreItem> ordered) => new(ordered.Chunk(LeafItemsMax).ToArray());

    public StoreItem? Find(string key)
    {
        var (leaf, index, found) = Locate(key);
        return found ? leaves[leaf][index] : null;
    }

    public ItemTree Set(StoreItem item)
    {
        var (at, index, found) = Locate(item.Key);
        if (leaves.Length == 0)
        {
            return new ItemTree([[item]]);
        }

        var leaf = leaves[at];
        if (found)
        {
            StoreItem[] changed = [.. leaf];
            changed[index] = item;
            return With(at, changed);
        }

        if (leaf.Length < LeafItemsMax)
        {
            return With(at, [.. leaf.AsSpan(0, index), item, .. leaf.AsSpan(index)]);
        }

        // A full leaf is halved; one that grows at its end is left full, since rising names are the usual way to grow.
        var cut = index == leaf.Length ? index : leaf.Length / 2;
        return index <= cut && cut < leaf.Length
            ? With(at, [.. leaf.AsSpan(0, index), item, .. leaf.AsSpan(index, cut - index)], leaf[cut..])
            : With(at, leaf[..cut], [.. leaf.AsSpan(cut, index - cut), item, .. leaf.AsSpan(index)]);
    }

    public ItemTree Remove(string key)
    {
        var (at, index, found) = Locate(key);
        if (!found)
        {
            return this;
        }

        var leaf = leaves[at];
        if (leaf.Length == 1)
        {
            return new ItemTree([.. leaves.AsSpan(0, at), .. leaves.AsSpan(at + 1)]);
        }

        StoreItem[] rest = [.. leaf.AsSpan(0, index), .. leaf.AsSpan(index + 1)];
        if (at + 1 < leaves.Length && rest.Length + leaves[at + 1].Length <= LeafItemsMax / 2)
        {
            return new ItemTree([.. leaves.AsSpan(0, at), [.. rest, .. leaves[at + 1]], .. leaves.AsSpan(at + 2)]);
        }

        return With(at, rest);
    }

    /// <summary>The items whose keys start with the prefix and come after <paramref name="after"/>.</summary>
    public Range Under(string prefix, string? after)
    {
        var start = after is not null && string.CompareOrdinal(after, prefix) >= 0 ? Locate(after) : Locate(prefix) with { Found = false };
        var (leaf, index) = (start.Leaf, start.Found ? start.Index + 1 : start.Index);
        var end = Locate(StoreLimits.EndOfPrefix(prefix));
        var count = leaf == end.Leaf ? end.Index - index : leaf > end.Leaf ? 0 : end.Index - index;
        for (var i = leaf; i < end.Leaf; i++)
        {
            count += leaves[i].Length;
        }

        return new Range(this, leaf, index, Math.Max(count, 0));
    }

    private ItemTree With(int at, StoreItem[] leaf)
    {
        StoreItem[][] changed = [.. leaves];
        changed[at] = leaf;
        return new ItemTree(changed);
    }

    private ItemTree With(int at, StoreItem[] leaf, StoreItem[] next) => new([.. leaves.AsSpan(0, at), leaf, next, .. leaves.AsSpan(at + 1)]);

    /// <summary>Where the key is, or would be put: in the last leaf that begins at or before it.</summary>
    private Position Locate(string key)
    {
        if (leaves.Length == 0)
        {
            return default;
        }

        var (low, high) = (0, leaves.Length - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = string.CompareOrdinal(leaves[middle][0].Key, key) <= 0 ? (middle, high) : (low, middle - 1);
        }

        var leaf = leaves[low];
        var (first, last) = (0, leaf.Length);
        while (first < last)
        {
            var middle = (first + last) / 2;
            (first, last) = string.CompareOrdinal(leaf[middle].Key, key) < 0 ? (middle + 1, last) : (first, middle);
        }

        return new Position(low, first, first < leaf.Length && leaf[first].Key == key);
    }

    private readonly record struct Position(int Leaf, int Index, bool Found);

    /// <summary>A run of neighbouring items: a view, not a copy.</summary>
    internal sealed class Range(ItemTree tree, int leaf, int index, int count) : IReadOnlyList<StoreItem>
    {
        public int Count { get; } = count;

        public StoreItem this[int offset]
        {
            get
            {
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)offset, (uint)Count, nameof(offset));
                var (at, rest) = (leaf, index + offset);
                while (rest >= tree.leaves[at].Length)
                {
                    rest -= tree.leaves[at].Length;
                    at++;
                }

                return tree.leaves[at][rest];
            }
        }

        /// <summary>The first <paramref name="items"/> of it.</summary>
        public Range Take(int items) => items >= Count ? this : new Range(tree, leaf, index, items);

        public IEnumerator<StoreItem> GetEnumerator()
        {
            var (at, next) = (leaf, index);
            for (var given = 0; given < Count; given++, next++)
            {
                while (next >= tree.leaves[at].Length)
                {
                    next = 0;
                    at++;
                }

                yield return tree.leaves[at][next];
            }
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
