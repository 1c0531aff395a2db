using System.Text;
using System.Text.Json;

namespace Godwit.Qmp.Tests;

public sealed class QmpCommandTests
{
    public static TheoryData<string, string> Requests => new()
    {
        { Encode(QmpCommands.Continue), """{"execute":"cont","id":1}""" },
        { Encode(QmpCommands.YankMigration), """{"exec-oob":"yank","id":1,"arguments":{"instances":[{"type":"migration"}]}}""" },
        { Encode(QmpCommands.MigrateSetCapabilities([new("events", true), new("multifd", false)])), """{"execute":"migrate-set-capabilities","id":1,"arguments":{"capabilities":[{"capability":"events","state":true},{"capability":"multifd","state":false}]}}""" },
        { Encode(QmpCommands.MigrateSetParameters(new QmpMigrationParameters { MaxBandwidth = 5, DowntimeLimit = 30 })), """{"execute":"migrate-set-parameters","id":1,"arguments":{"max-bandwidth":5,"downtime-limit":30}}""" },
        { Encode(QmpCommands.Migrate("unix:/run/x", resume: true)), """{"execute":"migrate","id":1,"arguments":{"uri":"unix:/run/x","resume":true}}""" },
        { Encode(QmpCommands.MigrateIncoming("unix:/run/x")), """{"execute":"migrate-incoming","id":1,"arguments":{"uri":"unix:/run/x","exit-on-error":false}}""" },
        { Encode(QmpCommands.MigrateContinue()), """{"execute":"migrate-continue","id":1,"arguments":{"state":"pre-switchover"}}""" },
        { Encode(QmpCommands.MigrateRecover("unix:/run/x")), """{"exec-oob":"migrate-recover","id":1,"arguments":{"uri":"unix:/run/x"}}""" },
        { Encode(QmpCommands.AnnounceSelf(50, 550, 5, 100)), """{"execute":"announce-self","id":1,"arguments":{"initial":50,"max":550,"rounds":5,"step":100}}""" },
        { Encode(QmpCommands.CalculateDirtyRate(TimeSpan.FromSeconds(1))), """{"execute":"calc-dirty-rate","id":1,"arguments":{"calc-time":1000,"calc-time-unit":"millisecond","mode":"page-sampling"}}""" },
        { Encode(QmpCommands.ReadRingBuffer("log", 4096)), """{"execute":"ringbuf-read","id":1,"arguments":{"device":"log","size":4096,"format":"base64"}}""" },
    };

    [Theory]
    [MemberData(nameof(Requests))]
    public void Request_is_the_line_that_QEMU_expects(string encoded, string expected) => Assert.Equal(expected + "\n", encoded);

    [Fact]
    public void Migration_in_post_copy_is_read_with_its_memory_part()
    {
        var reply = """
            {"expected-downtime": 300, "status": "postcopy-active", "setup-time": 3, "total-time": 1520, "downtime": 4, "blocked": false,
             "ram": {"total": 554508288, "postcopy-requests": 41, "dirty-sync-count": 3, "multifd-bytes": 0, "pages-per-second": 28500, "downtime-bytes": 0,
                     "page-size": 4096, "remaining": 64106496, "postcopy-bytes": 120, "mbps": 942.5, "transferred": 300000000, "dirty-sync-missed-zero-copy": 0,
                     "precopy-bytes": 1, "duplicate": 61000, "dirty-pages-rate": 4883, "normal-bytes": 290000000, "normal": 70800}}
            """;
        var migration = QmpCommands.QueryMigrate.Read(JsonElement.Parse(reply));
        Assert.Equal(("postcopy-active", 1520d, 4d, 300d), (migration.Status, migration.TotalTime, migration.Downtime, migration.ExpectedDowntime));
        Assert.Equal((64106496L, 41L, 3L, 942.5, 4883L, 4096), (migration.Ram!.Remaining, migration.Ram.PostcopyRequests, migration.Ram.DirtySyncCount, migration.Ram.Mbps, migration.Ram.DirtyPagesRate, migration.Ram.PageSize));
    }

    [Fact]
    public void Migration_that_never_was_is_empty() => Assert.Null(QmpCommands.QueryMigrate.Read(JsonElement.Parse("{}")).Status);

    private static string Encode<T>(QmpCommand<T> command) => Encoding.UTF8.GetString(QmpRequest.Encode(command, 1));
}
