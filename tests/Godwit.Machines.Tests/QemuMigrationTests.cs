using System.Text.Json;
using Godwit.Qmp;

namespace Godwit.Machines.Tests;

/// <summary>Replies as QEMU 10.0 gave them, in the order in which a migration passes through them.</summary>
public sealed class QemuMigrationTests
{
    [Fact]
    public void Before_the_first_migration_there_is_nothing_and_no_claim()
    {
        var statistics = Read("{}");
        Assert.Equal(("none", 0L, null, null), (statistics.Status, statistics.TransferredBytes, statistics.DowntimeMs, statistics.ExpectedDowntimeMs));
        Assert.Equal(4096, statistics.PageSizeBytes);
    }

    [Fact]
    public void Setup_has_no_memory_part_yet() => Assert.Equal(("setup", 0L), (Read("""{"blocked": false, "status": "setup"}""").Status, Read("""{"status": "setup"}""").RemainingBytes));

    [Fact]
    public void Active_pass_is_read_with_its_rates()
    {
        var statistics = Read(
            """
            {"expected-downtime": 2440, "status": "active", "setup-time": 4, "total-time": 1204, "cpu-throttle-percentage": 30, "blocked": false, "ram":
             {"total": 554508288, "postcopy-requests": 0, "dirty-sync-count": 2, "multifd-bytes": 0, "pages-per-second": 28900, "downtime-bytes": 0, "page-size": 4096,
              "remaining": 66113536, "postcopy-bytes": 0, "mbps": 948.2, "transferred": 287231090, "dirty-sync-missed-zero-copy": 0, "precopy-bytes": 287231090,
              "duplicate": 64212, "dirty-pages-rate": 4883, "normal-bytes": 286400512, "normal": 69922}}
            """);
        Assert.Equal(
            new MigrationStatistics
            {
                Status = "active", TotalTimeMs = 1204, ExpectedDowntimeMs = 2440, SetupTimeMs = 4, TransferredBytes = 287231090, RemainingBytes = 66113536,
                TotalBytes = 554508288, NormalPages = 69922, ZeroPages = 64212, DirtyPagesPerSecond = 4883, DirtySyncCount = 2, ThroughputMbitPerSecond = 948.2,
                ThrottlePercent = 30, PageSizeBytes = 4096,
            },
            statistics);
    }

    [Fact]
    public void End_is_read_with_downtime_or_with_its_reason()
    {
        Assert.Equal(16, Read("""{"status": "completed", "setup-time": 4, "downtime": 16, "total-time": 2250, "ram": {"total": 1, "transferred": 1, "page-size": 4096}}""").DowntimeMs);
        var failed = Read("""{"status": "failed", "error-desc": "Unable to write to socket: Connection reset by peer", "blocked": false}""");
        Assert.Equal(("failed", "Unable to write to socket: Connection reset by peer"), (failed.Status, failed.ErrorDescription));
    }

    [Theory]
    [InlineData("none", true)]
    [InlineData("setup", false)]
    [InlineData("active", false)]
    [InlineData("pre-switchover", false)]
    [InlineData("device", false)]
    [InlineData("postcopy-active", false)]
    [InlineData("postcopy-paused", false)]
    [InlineData("postcopy-recover", false)]
    [InlineData("cancelling", false)]
    [InlineData("wait-unplug", false)]
    [InlineData("cancelled", true)]
    [InlineData("failed", true)]
    [InlineData("completed", true)]
    public void Every_status_is_either_over_or_not(string status, bool isOver) => Assert.Equal(isOver, QemuMigration.IsOver(status));

    [Fact]
    public void Every_capability_is_said_so_that_none_is_left_from_an_attempt_before()
    {
        var plain = QemuMigration.Capabilities(new MigrationSettings()).ToDictionary(StringComparer.Ordinal);
        var full = QemuMigration.Capabilities(new MigrationSettings { Postcopy = true, PostcopyPreempt = true, AutoConverge = true, XbzrleCacheBytes = 1 << 20 }).ToDictionary(StringComparer.Ordinal);
        Assert.Equal(plain.Keys, full.Keys);
        Assert.Equal(["events", "return-path", "pause-before-switchover", "late-block-activate"], plain.Where(pair => pair.Value).Select(pair => pair.Key));
        Assert.Equal(["multifd"], full.Where(pair => !pair.Value).Select(pair => pair.Key));
    }

    private static MigrationStatistics Read(string reply) => QemuMigration.ToStatistics(QmpCommands.QueryMigrate.Read(JsonElement.Parse(reply)));
}
