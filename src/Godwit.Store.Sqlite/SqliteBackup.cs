using Microsoft.Data.Sqlite;

namespace Godwit.Store.Sqlite;

/// <summary>What a backup holds.</summary>
/// <param name="Revision">The revision that it shows.</param>
/// <param name="Items">Values in it.</param>
/// <param name="Bytes">Size of the file.</param>
public sealed record BackupSummary(long Revision, long Items, long Bytes);

/// <summary>
/// Copies of a store as one file each. A backup is one state of a store that may be serving meanwhile. A restored store
/// goes on far beyond the revisions of the lost one:
/// <code>
///   lost store   ├───────────── backup ▲ ────────── lost ┤
///   restored     ├────────────────────┤ · · · · · · · · · · · · · ├── backup + <see cref="SkippedRevisions"/>, history begins here
/// </code>
/// Otherwise new writes would take revisions that clients have already seen with other contents, and a watch resumed
/// there would miss changes. So it is told that its version is gone, and lists again.
/// </summary>
public static class SqliteBackup
{
    /// <summary>More than a store can have written between a backup and its loss: a year of thirty writes a second.</summary>
    public const long SkippedRevisions = 1_000_000_000;

    private const string PartialSuffix = ".partial";

    /// <summary>Writes a backup of the store in a file; a server may be running on it.</summary>
    /// <exception cref="StoreUnavailableException">The store cannot be read, or the backup not be written: there is a file of that name, or no room.</exception>
    public static BackupSummary Write(string storePath, string backupPath)
    {
        if (!File.Exists(storePath))
        {
            throw new StoreUnavailableException(StoreFault.NotOurs, $"There is no store {storePath} to back up: name the server's data folder");
        }

        return Making("back up to", backupPath, partial =>
        {
            using (var source = StoreFile.ConnectForBackup(storePath))
            using (var command = source.CreateCommand())
            {
                // One read transaction, whatever is written meanwhile; it writes only pages that are in use.
                command.CommandText = "VACUUM INTO $path";
                command.Parameters.AddWithValue("$path", partial);
                command.ExecuteNonQuery();
            }

            return Check(partial);
        });
    }

    /// <summary>Makes a store out of a backup, checked row by row, where there is none.</summary>
    /// <exception cref="StoreUnavailableException">There is a store already, or the backup is damaged or none.</exception>
    public static BackupSummary Restore(string backupPath, string storePath)
    {
        if (!File.Exists(backupPath))
        {
            throw new StoreUnavailableException(StoreFault.NotOurs, $"There is no backup {backupPath}");
        }

        using var held = StoreFile.TakeProcessLock(storePath);
        return Making("restore", storePath, partial =>
        {
            using (var from = File.OpenRead(backupPath))
            using (var to = new FileStream(partial, FileMode.Open, FileAccess.Write))
            {
                from.CopyTo(to);
            }

            Check(partial);
            using (var file = StoreFile.Open(new SqliteStoreOptions(partial)))
            using (var writer = new LogWriter(file.ConnectWriter()))
            {
                writer.Begin();
                writer.Compact(writer.Bounds.Current);
                while (!writer.Clean(int.MaxValue))
                {
                }

                writer.SkipTo(writer.Bounds.Current + SkippedRevisions);
                writer.Commit();
            }

            return Check(partial);
        });
    }

    /// <summary>Reads all of it: the shape of the file, and every row against its checksum.</summary>
    private static BackupSummary Check(string path)
    {
        using var file = StoreFile.Open(new SqliteStoreOptions(path) { IntegrityCheckBytesMax = long.MaxValue });
        using var reader = new LogReader(file.ConnectReader());
        var (query, items) = (new StoreListQuery("", Limit: 1000, CountsRemaining: false), 0L);
        while (true)
        {
            var page = reader.List(query);
            items += page.Items.Count;
            if (page.RemainingCount == 0)
            {
                return new BackupSummary(page.Revision, items, new FileInfo(path).Length);
            }

            query = query with { After = page.Items[^1].Key, Revision = page.Revision };
        }
    }

    /// <summary>Makes a file that is there whole or not at all, and never in the place of another.</summary>
    private static BackupSummary Making(string attempt, string path, Func<string, BackupSummary> make)
    {
        if (File.Exists(path))
        {
            throw new StoreUnavailableException(StoreFault.AccessDenied, $"Cannot {attempt} {path}: there is a file of that name, and it is not written over. Move it away, or choose another name");
        }

        var partial = path + PartialSuffix;
        try
        {
            Remove(partial);
            new FileStream(partial, StoreFile.OwnerOnlyFile(FileMode.CreateNew, FileShare.None)).Dispose();
            var summary = make(partial);
            using (var written = File.OpenHandle(partial, FileMode.Open, FileAccess.ReadWrite))
            {
                RandomAccess.FlushToDisk(written);
            }

            File.Move(partial, path, overwrite: false);
            return summary;
        }
        catch (Exception error) when (SqliteFaults.IsFault(error))
        {
            throw SqliteFaults.Translate(attempt, path, error);
        }
        finally
        {
            Remove(partial);
        }
    }

    private static void Remove(string partial)
    {
        foreach (var suffix in (ReadOnlySpan<string>)["", "-wal", "-shm", ".lock"])
        {
            File.Delete(partial + suffix);
        }
    }
}
