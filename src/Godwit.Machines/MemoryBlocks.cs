using System.Globalization;

namespace Godwit.Machines;

/// <summary>The blocks of a guest's memory and the size of each in bytes, as QEMU's monitor describes them to people.</summary>
internal static class MemoryBlocks
{
    /// <param name="description">A line for each block: its name, its page size and the unit of that, its offset, its used size, and more that is not needed.</param>
    /// <exception cref="MachineException">Nothing in the text is a block: another QEMU than those that are known says it in another way.</exception>
    public static IReadOnlyDictionary<string, long> Parse(string description)
    {
        var blocks = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var line in description.Split('\n'))
        {
            if (line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [var name, _, _, ['0', 'x', ..], ['0', 'x', .. var used], ..]
                && long.TryParse(used, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var bytes)
                && bytes >= 0)
            {
                blocks[name] = bytes;
            }
        }

        return blocks.Count > 0 ? blocks : throw new MachineException("cannot read the blocks of memory: QEMU's answer to 'info ramblock' has none in a form that is known.");
    }
}
