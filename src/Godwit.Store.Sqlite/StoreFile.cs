using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Godwit.Store.Sqlite;

/// <summary>
/// The file behind the store: who may have it open, what it must contain, and how connections to it are set up.
/// One process at a time: a second one would not hear of the first one's writes, so a lock file beside it keeps it out.
/// </summary>
internal sealed class StoreFile : IDisposable
{
    /// <summary>Marks the file as a store of Godwit ("GWST"), so that another SQLite file is not mistaken for one.</summary>
    private const long ApplicationId = 0x47575354;

    /// <summary>Rises with every change of the tables; a store of a higher version is refused, one of a lower is upgraded here.</summary>
    private const long SchemaVersion = 1;

    /// <summary>
    /// One table, only appended to: the log. The newest value of a key is its row with the highest revision, and a list
    /// at an older revision is the same question with an upper bound. <c>deleted</c> is in the index so that counting
    /// never touches the rows.
    /// </summary>
    private const string Schema = """
        CREATE TABLE log (
            revision          INTEGER PRIMARY KEY,
            key               TEXT NOT NULL,
            create_revision   INTEGER NOT NULL,
            previous_revision INTEGER NOT NULL,
            deleted           INTEGER NOT NULL,
            value             BLOB NOT NULL,
            checksum          INTEGER NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX log_by_key ON log (key, revision, deleted);
        CREATE TABLE progress (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        INSERT INTO progress VALUES ('compacted', 0), ('cleaned', 0);
        """;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly SqliteStoreOptions options;
    private readonly Stream processLock;

    static StoreFile() => SQLitePCL.Batteries_V2.Init();

    private StoreFile(SqliteStoreOptions options, Stream processLock)
    {
        this.options = options;
        this.processLock = processLock;
    }

    public string FilePath => options.FilePath;

    /// <summary>Takes the file for this process, makes it if there is none, and checks that it is whole and of our version.</summary>
    /// <exception cref="StoreUnavailableException">It cannot be used; the message says why and what to do.</exception>
    public static StoreFile Open(SqliteStoreOptions options)
    {
        FileStream? held = null;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(options.FilePath) ?? ".", OwnerOnly | UnixFileMode.UserExecute);
            held = TakeProcessLock(options.FilePath);

            // Values may be secrets: SQLite gives its side files the mode of the main one.
            new FileStream(options.FilePath, OwnerOnlyFile(FileMode.OpenOrCreate, FileShare.ReadWrite)).Dispose();
            var file = new StoreFile(options, held);
            file.Prepare();
            return file;
        }
        catch (Exception error)
        {
            held?.Dispose();
            if (SqliteFaults.IsFault(error))
            {
                throw SqliteFaults.Translate("open", options.FilePath, error);
            }

            throw;
        }
    }

    /// <summary>A connection for the writer: what it commits is on the disk before the commit returns.</summary>
    public SqliteConnection ConnectWriter() => Connect("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;");

    public SqliteConnection ConnectReader() => Connect("PRAGMA query_only = ON;");

    public void Dispose() => processLock.Dispose();

    /// <summary>A connection that reads one state of a store which another process may be serving.</summary>
    internal static SqliteConnection ConnectForBackup(string filePath)
    {
        var file = new StoreFile(new SqliteStoreOptions(filePath), Stream.Null);
        var connection = file.Connect("PRAGMA synchronous = FULL;");
        try
        {
            file.Check(Number(connection, "PRAGMA application_id"), Number(connection, "PRAGMA user_version"));
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    internal static FileStreamOptions OwnerOnlyFile(FileMode mode, FileShare share) =>
        new() { Mode = mode, Access = FileAccess.ReadWrite, Share = share, UnixCreateMode = OwnerOnly };

    /// <summary>Keeps every other server away from the file until it is disposed.</summary>
    internal static FileStream TakeProcessLock(string filePath)
    {
        var lockPath = filePath + ".lock";
        try
        {
            return new FileStream(lockPath, OwnerOnlyFile(FileMode.OpenOrCreate, FileShare.None));
        }
        catch (IOException error) when (error is not (DirectoryNotFoundException or FileNotFoundException))
        {
            throw new StoreUnavailableException(
                StoreFault.Locked,
                $"Cannot open the store {filePath}: another process holds {lockPath}. A store serves one server at a time: stop the other one, or give this one its own data folder",
                error);
        }
    }

    private SqliteConnection Connect(string pragmas)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = FilePath,
            Mode = SqliteOpenMode.ReadWrite,
            Pooling = false,
            DefaultTimeout = options.ForeignLockWaitSeconds, // Among ourselves there is one writer, and readers never wait.
        }.ConnectionString);
        try
        {
            connection.Open();
            Execute(connection, pragmas);
            Execute(
                connection,
                string.Create(CultureInfo.InvariantCulture, $"PRAGMA cache_size = -{options.PageCacheKib}; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"));
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private void Prepare()
    {
        using var connection = ConnectWriter();
        var applicationId = Number(connection, "PRAGMA application_id");
        var version = Number(connection, "PRAGMA user_version");
        if (applicationId == 0 && version == 0 && Number(connection, "SELECT COUNT(*) FROM sqlite_schema") == 0)
        {
            Execute(connection, "PRAGMA journal_mode = WAL;");
            Execute(
                connection,
                string.Create(CultureInfo.InvariantCulture, $"BEGIN IMMEDIATE; {Schema} PRAGMA application_id = {ApplicationId}; PRAGMA user_version = {SchemaVersion}; COMMIT;"));
            return;
        }

        Check(applicationId, version);
        CheckIntegrity(connection);
        CheckTables(connection);
        Execute(connection, "PRAGMA journal_mode = WAL;");
    }

    private void Check(long applicationId, long version)
    {
        if (applicationId != ApplicationId)
        {
            throw new StoreUnavailableException(
                StoreFault.NotOurs,
                $"Cannot open the store {FilePath}: it is a SQLite file, but not one that Godwit made. Name another file");
        }

        if (version != SchemaVersion)
        {
            throw new StoreUnavailableException(
                StoreFault.NotOurs,
                $"Cannot open the store {FilePath}: it has schema version {version}, and this godwit knows version {SchemaVersion}. Start the godwit that wrote it, or a newer one");
        }
    }

    private void CheckIntegrity(SqliteConnection connection)
    {
        if (new FileInfo(FilePath).Length > options.IntegrityCheckBytesMax)
        {
            return;
        }

        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA integrity_check(1)";
        if (command.ExecuteScalar() is not "ok" and var finding)
        {
            throw SqliteFaults.Translate("open", FilePath, new SqliteException($"The integrity check found: {finding}", 11));
        }
    }

    /// <summary>The integrity check holds the content against the tables, but nothing holds the tables against what we made: a letter of a column's name may have changed.</summary>
    private void CheckTables(SqliteConnection connection)
    {
        using var reference = new SqliteConnection("Data Source=:memory:");
        reference.Open();
        Execute(reference, Schema);
        if (Tables(connection) != Tables(reference))
        {
            throw SqliteFaults.Translate("open", FilePath, new SqliteException("The definitions of its tables are not those that this version makes.", 11));
        }
    }

    private static string Tables(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT IFNULL(GROUP_CONCAT(type || ' ' || name || ' of ' || tbl_name || ': ' || sql, char(10)), '') FROM (SELECT * FROM sqlite_schema ORDER BY name)";
        return (string)command.ExecuteScalar()!;
    }

    private static void Execute(SqliteConnection connection, string text)
    {
        using var command = connection.CreateCommand();
        command.CommandText = text;
        command.ExecuteNonQuery();
    }

    private static long Number(SqliteConnection connection, string text)
    {
        using var command = connection.CreateCommand();
        command.CommandText = text;
        return (long)command.ExecuteScalar()!;
    }
}
