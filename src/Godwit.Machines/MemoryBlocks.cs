using System.Globalization;
using System.Text.RegularExpressions;

namespace Godwit.Machines;

/// <summary>The blocks of a guest's memory and the size of each in bytes, as QEMU's monitor describes them to people.</summary>
internal static partial class MemoryBlocks
{
    /// <exception cref="MachineException">Nothing in the text is a block: another QEMU than those that are known says it in another way.</exception>
    public static IReadOnlyDictionary<string, long> Parse(string description)
    {
        var blocks = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (Match line in Line.Matches(description))
        {
            if (long.TryParse(line.Groups["used"].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var bytes) && bytes >= 0)
            {
                blocks[line.Groups["name"].Value] = bytes;
            }
        }

        return blocks.Count > 0 ? blocks : throw new MachineException("cannot read the blocks of memory: QEMU's answer to 'info ramblock' has none in a form that is known.");
    }

    /// <summary>Name, page size with its unit, offset, used size, then more that is not needed.</summary>
    [GeneratedRegex(@"^ *(?<name>\S+) +\d+ \w+ +0x[0-9a-f]+ +0x(?<used>[0-9a-f]+) ", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Line { get; }
}
