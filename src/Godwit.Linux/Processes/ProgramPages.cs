using System.Globalization;
using System.Text.RegularExpressions;
using Godwit.Linux.Native;

namespace Godwit.Linux.Processes;

/// <summary>
/// The pages of this program's file, and of its libraries' files, that it has touched: most of what a program compiled ahead of time has in memory, and most of that was
/// used once, at its start. The kernel counts them as the process's own use and keeps them longer than the rest of its file cache. Given back, they stay in that cache as any
/// file's pages do, free to be dropped when memory is short; those that are used again are mapped again, some microseconds each time.
/// </summary>
public static unsafe partial class ProgramPages
{
    /// <summary>Unmaps them (madvise(2), MADV_DONTNEED). Of no effect but on time and memory, at any moment.</summary>
    /// <returns>Bytes that were resident in what was given back.</returns>
    public static long Release()
    {
        long released = 0;
        foreach (var region in Find(File.ReadLines("/proc/self/smaps")))
        {
            if (LibC.MAdvise((void*)region.Start, (nuint)(region.End - region.Start), MemoryAdvice.MADV_DONTNEED) == 0)
            {
                released += region.ResidentBytes;
            }
        }

        return released;
    }

    /// <summary>
    /// In the form of <c>/proc/PID/smaps</c> (proc(5)): private regions of programs and libraries that nobody can write to, and without any page that is not the file's own
    /// (what the loader changed before it made it read-only would be lost). Libraries are never unloaded here, so a region that was found stays what it is.
    /// </summary>
    internal static IEnumerable<ProgramRegion> Find(IEnumerable<string> lines)
    {
        ProgramRegion? current = null;
        foreach (var line in lines)
        {
            var head = Head().Match(line);
            if (head.Success)
            {
                current = IsProgram(head.Groups["path"].Value)
                    ? new ProgramRegion(ulong.Parse(head.Groups["start"].Value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture), ulong.Parse(head.Groups["end"].Value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture), 0)
                    : null;
            }
            else if (current is { } region)
            {
                current = line.StartsWith("Rss:", StringComparison.Ordinal) ? region with { ResidentBytes = ReadBytes(line) } : region;
                if (line.StartsWith("Anonymous:", StringComparison.Ordinal))
                {
                    if (ReadBytes(line) == 0)
                    {
                        yield return region;
                    }

                    current = null;
                }
            }
        }
    }

    private static bool IsProgram(string path) => path == Environment.ProcessPath || path.EndsWith(".so", StringComparison.Ordinal) || path.Contains(".so.", StringComparison.Ordinal);

    private static long ReadBytes(string line) => 1024 * long.Parse(line.AsSpan(line.IndexOf(':', StringComparison.Ordinal) + 1).Trim().TrimEnd(" kB"), CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(?<start>[0-9a-f]+)-(?<end>[0-9a-f]+) r-[-x]p [0-9a-f]+ \S+ [1-9][0-9]* +(?<path>/.*)$|^(?<start>[0-9a-f]+)-(?<end>[0-9a-f]+) ", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Head();
}

/// <summary>A part of the address space that shows a program's file.</summary>
internal readonly record struct ProgramRegion(ulong Start, ulong End, long ResidentBytes);
