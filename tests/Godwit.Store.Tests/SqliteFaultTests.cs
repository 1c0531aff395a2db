using System.Diagnostics;
using System.Globalization;
using Godwit.Store.Sqlite;
using Microsoft.Data.Sqlite;

namespace Godwit.Store.Tests;

/// <summary>A file that is damaged, foreign, held by others, or on a full disk: a typed, clear error, and the store lives on where it can.</summary>
public sealed class SqliteFaultTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly TemporaryFolder folder = new();

    private SqliteStoreOptions Options => new(folder.File("store.db")) { ForeignLockWaitSeconds = 1 };

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Each_flipped_bit_is_either_without_effect_or_reported_but_never_a_wrong_answer()
    {
        var truth = await FillAsync(Options, values: 60);
        var whole = await File.ReadAllBytesAsync(Options.FilePath, None);
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var reported = 0;
        for (var round = 0; round < 150; round++)
        {
            var damaged = (byte[])whole.Clone();
            var bit = random.Next(damaged.Length * 8);
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            var options = Options with { FilePath = folder.File($"damaged-{round}.db") };
            await File.WriteAllBytesAsync(options.FilePath, damaged, None);
            try
            {
                await using var store = SqliteRevisionStore.Open(options);
                Assert.True(truth == await PrintAsync(store), $"Bit {bit} of seed {seed} was flipped and the store tells something else.");
            }
            catch (StoreUnavailableException error)
            {
                Assert.True(error.Fault is StoreFault.Corrupt or StoreFault.NotOurs, $"Bit {bit} of seed {seed}: {error}");
                reported++;
            }
        }

        Assert.True(reported > 30, $"Only {reported} of 150 flipped bits were reported.");
    }

    [Fact]
    public async Task A_letter_changed_in_the_definitions_of_the_tables_or_in_the_names_of_the_progress_is_reported()
    {
        await FillAsync(Options, values: 6);
        var whole = await File.ReadAllBytesAsync(Options.FilePath, None);
        var options = Options with { FilePath = folder.File("damaged.db") };
        foreach (var text in (string[])["previous_revision INTEGER", "log_by_key ON log (key, revision", "name TEXT PRIMARY KEY", "compacted", "cleaned"])
        {
            var at = whole.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(text));
            for (var letter = at; letter < at + text.Length; letter += 2)
            {
                var damaged = (byte[])whole.Clone();
                damaged[letter] ^= 1;
                await File.WriteAllBytesAsync(options.FilePath, damaged, None);
                AssertRefused(StoreFault.Corrupt, options.FilePath);
            }
        }
    }

    [Fact]
    public async Task A_truncated_write_ahead_log_opens_as_an_earlier_state_and_takes_writes()
    {
        await using var live = SqliteRevisionStore.Open(Options);
        var states = new List<string> { await PrintAsync(live) };
        for (var i = 0; i < 30; i++)
        {
            await live.CreateAsync($"keys/{i:d2}", new byte[700], None);
            states.Add(await PrintAsync(live));
        }

        var log = await File.ReadAllBytesAsync(Options.FilePath + "-wal", None);
        for (var length = 0; length <= log.Length; length += 1531)
        {
            var options = Options with { FilePath = folder.File($"cut-{length}.db") };
            File.Copy(Options.FilePath, options.FilePath);
            await File.WriteAllBytesAsync(options.FilePath + "-wal", log[..length], None);
            await using var store = SqliteRevisionStore.Open(options);
            Assert.Contains(await PrintAsync(store), states);
            Assert.True((await store.CreateAsync("after", new byte[10], None)).Succeeded);
        }
    }

    [Fact]
    public async Task A_file_that_is_no_store_of_ours_is_refused_and_left_alone()
    {
        await File.WriteAllTextAsync(Options.FilePath, new string('x', 10_000), None);
        AssertRefused(StoreFault.NotOurs, Options.FilePath);
        Assert.Equal(new string('x', 10_000), await File.ReadAllTextAsync(Options.FilePath, None));

        var foreign = folder.File("foreign.db");
        Execute(foreign, "CREATE TABLE people (name TEXT)");
        AssertRefused(StoreFault.NotOurs, foreign);

        var newer = folder.File("newer.db");
        await SqliteRevisionStore.Open(new(newer)).DisposeAsync();
        Execute(newer, "PRAGMA user_version = 99");
        AssertRefused(StoreFault.NotOurs, newer);
    }

    [Fact]
    public void A_folder_in_the_files_place_or_a_file_in_the_folders_is_refused()
    {
        Directory.CreateDirectory(Options.FilePath);
        AssertRefused(StoreFault.AccessDenied, Options.FilePath);

        File.WriteAllText(folder.File("file"), "");
        AssertRefused(StoreFault.InputOutput, folder.File("file/store.db"));
    }

    [Fact]
    public async Task A_second_server_on_the_same_file_is_kept_out()
    {
        await using (var first = SqliteRevisionStore.Open(Options))
        {
            AssertRefused(StoreFault.Locked, Options.FilePath);
            Assert.True((await first.CreateAsync("a", new byte[1], None)).Succeeded);
        }

        await SqliteRevisionStore.Open(Options).DisposeAsync();
    }

    [Fact]
    public async Task A_foreign_lock_fails_writes_for_as_long_as_it_is_held_and_no_read()
    {
        await using var store = SqliteRevisionStore.Open(Options);
        await store.CreateAsync("a", new byte[1], None);
        using var foreign = new SqliteConnection($"Data Source={Options.FilePath};Pooling=False");
        await foreign.OpenAsync(None);
        Execute(foreign, "BEGIN IMMEDIATE");
        var refusal = await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.CreateAsync("b", new byte[1], None));
        Assert.Equal((StoreFault.Locked, false), (refusal.Fault, refusal.MayHaveHappened));
        Assert.NotNull(await store.GetAsync("a", None));

        Execute(foreign, "ROLLBACK");
        Assert.Equal(3, (await store.CreateAsync("b", new byte[1], None)).Revision);
    }

    [Fact]
    public async Task Values_may_be_secrets_so_no_file_of_the_store_is_readable_by_others()
    {
        await using var store = SqliteRevisionStore.Open(Options with { FilePath = folder.File("new/store.db") });
        await store.CreateAsync("a", new byte[1], None);
        var files = Directory.GetFiles(folder.File("new"));
        Assert.Contains(files, path => path.EndsWith("-wal", StringComparison.Ordinal));
        Assert.All(files, path => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path)));
    }

    [Fact]
    public async Task Every_commit_is_flushed_to_the_disk()
    {
        await using var store = SqliteRevisionStore.Open(Options);
        using var file = await Task.Run(() => StoreFile.Open(Options with { FilePath = folder.File("other.db") }));
        using var writer = file.ConnectWriter();
        using var command = writer.CreateCommand();
        command.CommandText = "PRAGMA synchronous";
        Assert.Equal(2L, await command.ExecuteScalarAsync(None)); // FULL: the write-ahead log is flushed by each commit.
        command.CommandText = "PRAGMA journal_mode";
        Assert.Equal("wal", await command.ExecuteScalarAsync(None));
    }

    [Fact]
    [Trait("Needs", "root")]
    public async Task A_full_disk_refuses_writes_by_name_keeps_reading_and_recovers_when_there_is_room()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root, to mount a small filesystem.");
        var disk = folder.File("disk");
        Directory.CreateDirectory(disk);
        await MountAsync("mount", "-t", "tmpfs", "-o", "size=4m", $"godwit-store-{Environment.ProcessId}", disk);
        try
        {
            await FillDiskAsync(disk);
        }
        finally
        {
            await MountAsync("umount", disk);
        }
    }

    private async Task FillDiskAsync(string disk)
    {
        var options = Options with { FilePath = Path.Combine(disk, "store.db") };
        var ballast = Path.Combine(disk, "ballast");
        await File.WriteAllBytesAsync(ballast, new byte[2 * 1024 * 1024], None);
        var acknowledged = 1L;
        await using (var store = SqliteRevisionStore.Open(options))
        {
            var refusal = await Assert.ThrowsAsync<StoreUnavailableException>(async () =>
            {
                for (var i = 0; i < 4000; i++)
                {
                    acknowledged = (await store.CreateAsync($"keys/{i:d4}", new byte[5000], None)).Revision;
                }
            });
            Assert.Equal((StoreFault.DiskFull, false), (refusal.Fault, refusal.MayHaveHappened));
            Assert.Contains(disk, refusal.Message, StringComparison.Ordinal);
            Assert.Equal(acknowledged - 1, (await store.ListAsync(new StoreListQuery("keys/"), None)).Items.Count);

            File.Delete(ballast);
            acknowledged = (await store.CreateAsync("after", new byte[5000], None)).Revision;
        }

        await using var reopened = SqliteRevisionStore.Open(options);
        Assert.Equal(acknowledged, await reopened.GetCurrentRevisionAsync(None));
        Assert.Equal(acknowledged - 1, (await reopened.ListAsync(new StoreListQuery(""), None)).Items.Count);
    }

    private static async Task MountAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync(None).WaitAsync(TimeSpan.FromMinutes(2), None);
        Assert.Equal(0, process.ExitCode);
    }

    /// <summary>A store with history, closed; returns what it tells.</summary>
    private static async Task<string> FillAsync(SqliteStoreOptions options, int values)
    {
        await using var store = SqliteRevisionStore.Open(options);
        for (var i = 0; i < values; i++)
        {
            var created = await store.CreateAsync($"keys/{i:d3}", new byte[300], None);
            if (i % 3 == 0)
            {
                await store.UpdateAsync($"keys/{i:d3}", new byte[200], created.Revision, None);
            }
            else if (i % 7 == 0)
            {
                await store.DeleteAsync($"keys/{i:d3}", created.Revision, None);
            }
        }

        return await PrintAsync(store);
    }

    /// <summary>All that a store has to say: its revision, its items, its history.</summary>
    private static async Task<string> PrintAsync(SqliteRevisionStore store)
    {
        var current = await store.GetCurrentRevisionAsync(None);
        var lines = new List<string> { current.ToString(CultureInfo.InvariantCulture) };
        foreach (var item in (await store.ListAsync(new StoreListQuery(""), None)).Items)
        {
            lines.Add(Print(item));
            lines.Add(Print(await store.GetAsync(item.Key, None)));
        }

        await foreach (var batch in store.WatchAsync("", 1, None))
        {
            lines.AddRange(batch.Events.Select(change => $"{change.Kind} {change.Revision} {Print(change.Item)} {Print(change.Previous)}"));
            if (batch.Revision >= current)
            {
                break;
            }
        }

        return string.Join('\n', lines);
    }

    private static string Print(StoreItem? item) =>
        item is null ? "-" : $"{item.Key} {item.CreateRevision} {item.ModRevision} {Convert.ToHexString(item.Value.Span)}";

    private static void AssertRefused(StoreFault fault, string path)
    {
        var refusal = Assert.Throws<StoreUnavailableException>(() => SqliteRevisionStore.Open(new(path)));
        Assert.Equal(fault, refusal.Fault);
        Assert.Contains(path, refusal.Message, StringComparison.Ordinal);
    }

    private static void Execute(string path, string text)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        Execute(connection, text);
    }

    private static void Execute(SqliteConnection connection, string text)
    {
        using var command = connection.CreateCommand();
        command.CommandText = text;
        command.ExecuteNonQuery();
    }
}
