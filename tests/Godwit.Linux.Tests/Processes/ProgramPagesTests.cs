using System.Diagnostics;
using Godwit.Linux.Processes;

namespace Godwit.Linux.Tests.Processes;

public sealed class ProgramPagesTests
{
    [Fact]
    public void Only_what_shows_a_programs_file_unchanged_is_given_back()
    {
        string[] smaps =
        [
            "00400000-00500000 r-xp 00000000 fe:00 12 /usr/lib/libone.so.1", "Rss:                 64 kB", "Anonymous:             0 kB",
            "00500000-00600000 r--p 00100000 fe:00 12 /usr/lib/libone.so.1", "Rss:                 64 kB", "Anonymous:             4 kB", // The loader wrote to it before it closed it.
            "00600000-00700000 rw-p 00200000 fe:00 12 /usr/lib/libone.so.1", "Rss:                 64 kB", "Anonymous:             0 kB",
            "00700000-00800000 r--p 00000000 fe:00 13 /var/lib/data", "Rss:                 64 kB", "Anonymous:             0 kB", // A file that is no program may be unmapped at any time.
            "00800000-00900000 r-xp 00000000 00:00 0", "Rss:                 64 kB", "Anonymous:             0 kB",
            "00900000-00a00000 r--s 00000000 fe:00 14 /usr/lib/libtwo.so", "Rss:                 64 kB", "Anonymous:             0 kB",
            "00a00000-00b00000 r--p 00000000 fe:00 14 /usr/lib/libtwo.so", "Rss:                  8 kB", "Anonymous:             0 kB",
        ];
        Assert.Equal([new ProgramRegion(0x400000, 0x500000, 65536), new ProgramRegion(0xa00000, 0xb00000, 8192)], ProgramPages.Find(smaps));
    }

    [Fact]
    public void A_process_that_gave_them_back_has_fewer_and_goes_on()
    {
        var before = ResidentFileBytes();
        Assert.True(ProgramPages.Release() > 1 << 20);
        Assert.InRange(ResidentFileBytes(), 1, before - (1 << 20));
        Assert.Equal(4950, Enumerable.Range(0, 100).Sum());
        using var again = Process.GetCurrentProcess(); // Code that was dropped is there again.
        Assert.Equal(Environment.ProcessId, again.Id);
    }

    private static long ResidentFileBytes() => 1024 * long.Parse(File.ReadLines("/proc/self/status").Single(line => line.StartsWith("RssFile:", StringComparison.Ordinal)).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1]);
}
