using System.Text;
using Godwit.Store.Sqlite;

namespace Godwit.Store.Tests;

public sealed class BackupTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly TemporaryFolder folder = new();

    private string StorePath => folder.File("store.db");

    private string BackupPath => folder.File("backup.db");

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_backup_taken_while_the_store_serves_is_one_state_of_it_with_all_that_was_acknowledged()
    {
        await using var store = SqliteRevisionStore.Open(new SqliteStoreOptions(StorePath));
        var acknowledged = await FillAsync(store, 100);
        using var stop = new CancellationTokenSource();
        var writing = Task.Run(
            async () =>
            {
                for (var number = 0; !stop.IsCancellationRequested; number++)
                {
                    await store.CreateAsync($"later/{number:d9}", "x"u8.ToArray(), None);
                }
            },
            None);
        var summary = SqliteBackup.Write(StorePath, BackupPath);
        await stop.CancelAsync();
        await writing;
        Assert.True(summary.Revision >= acknowledged);
        SqliteBackup.Restore(BackupPath, folder.File("restored.db"));
        await using var restored = SqliteRevisionStore.Open(new SqliteStoreOptions(folder.File("restored.db")));
        Assert.Equal(await PrintAsync(store, summary.Revision), await PrintAsync(restored, 0));
    }

    [Fact]
    public async Task A_restored_store_goes_on_beyond_every_revision_that_clients_may_have_seen_and_refuses_those()
    {
        long backedUp, lost;
        await using (var store = SqliteRevisionStore.Open(new SqliteStoreOptions(StorePath)))
        {
            backedUp = await FillAsync(store, 20);
            SqliteBackup.Write(StorePath, BackupPath);
            lost = (await store.CreateAsync("lost", "x"u8.ToArray(), None)).Revision;
        }

        SqliteBackup.Restore(BackupPath, folder.File("restored.db"));
        await using var restored = SqliteRevisionStore.Open(new SqliteStoreOptions(folder.File("restored.db")));
        Assert.Equal(backedUp + SqliteBackup.SkippedRevisions, await restored.GetCurrentRevisionAsync(None));
        await Assert.ThrowsAsync<StoreCompactedException>(async () => await restored.ListAsync(new StoreListQuery("", Revision: lost), None));
        await Assert.ThrowsAsync<StoreCompactedException>(async () =>
        {
            await foreach (var _ in restored.WatchAsync("", lost, None))
            {
            }
        });
        var item = (await restored.GetAsync("keys/000", None))!;
        Assert.True((await restored.UpdateAsync(item.Key, "new"u8.ToArray(), item.ModRevision, None)).Revision > lost);
        var current = await restored.GetCurrentRevisionAsync(None);
        await restored.CompactAsync(current, None);
        Assert.Equal("new", Encoding.UTF8.GetString((await restored.GetAsync(item.Key, None))!.Value.Span));
    }

    [Fact]
    public async Task Nothing_is_written_over_and_a_store_in_use_is_not_restored_into()
    {
        await using (var store = SqliteRevisionStore.Open(new SqliteStoreOptions(StorePath)))
        {
            await FillAsync(store, 3);
            SqliteBackup.Write(StorePath, BackupPath);
            Assert.Equal(StoreFault.AccessDenied, Assert.Throws<StoreUnavailableException>(() => SqliteBackup.Write(StorePath, BackupPath)).Fault);
            Assert.Equal(StoreFault.Locked, Assert.Throws<StoreUnavailableException>(() => SqliteBackup.Restore(BackupPath, StorePath)).Fault);
        }

        Assert.Equal(StoreFault.AccessDenied, Assert.Throws<StoreUnavailableException>(() => SqliteBackup.Restore(BackupPath, StorePath)).Fault);
    }

    [Fact]
    public async Task A_damaged_or_foreign_backup_is_refused_and_leaves_nothing()
    {
        await using (var store = SqliteRevisionStore.Open(new SqliteStoreOptions(StorePath)))
        {
            await FillAsync(store, 50);
            SqliteBackup.Write(StorePath, BackupPath);
        }

        var bytes = await File.ReadAllBytesAsync(BackupPath, None);
        bytes[bytes.AsSpan().IndexOf("value 007"u8)] ^= 1;
        await File.WriteAllBytesAsync(BackupPath, bytes, None);
        var target = folder.File("restored.db");
        Assert.Equal(StoreFault.Corrupt, Assert.Throws<StoreUnavailableException>(() => SqliteBackup.Restore(BackupPath, target)).Fault);
        await File.WriteAllTextAsync(BackupPath, "not a database at all, only some text that is long enough to be looked at", None);
        Assert.Equal(StoreFault.NotOurs, Assert.Throws<StoreUnavailableException>(() => SqliteBackup.Restore(BackupPath, target)).Fault);
        Assert.DoesNotContain(Directory.GetFiles(folder.FullPath, "restored.db*"), path => !path.EndsWith(".lock", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_backup_may_hold_secrets_so_only_its_owner_reads_it()
    {
        await using var store = SqliteRevisionStore.Open(new SqliteStoreOptions(StorePath));
        SqliteBackup.Write(StorePath, BackupPath);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(BackupPath));
    }

    private static async Task<long> FillAsync(SqliteRevisionStore store, int values)
    {
        var revision = 0L;
        for (var number = 0; number < values; number++)
        {
            var made = await store.CreateAsync($"keys/{number:d3}", Encoding.UTF8.GetBytes($"value {number:d3}"), None);
            revision = number % 5 == 4 ? (await store.DeleteAsync($"keys/{number:d3}", made.Revision, None)).Revision : made.Revision;
        }

        return revision;
    }

    private static async Task<string> PrintAsync(SqliteRevisionStore store, long revision) =>
        string.Join('\n', (await store.ListAsync(new StoreListQuery("", Revision: revision), None)).Items.Select(item => $"{item.Key}={Encoding.UTF8.GetString(item.Value.Span)}@{item.CreateRevision}/{item.ModRevision}"));
}
