using Microsoft.Data.Sqlite;

namespace Godwit.Store.Sqlite;

/// <summary>The one place where an error of the file, the disk or SQLite becomes a fault of the store, with what to do about it.</summary>
internal static class SqliteFaults
{
    // SQLite's primary result codes, as documented in its list of result codes.
    private const int Generic = 1;
    private const int Permission = 3;
    private const int Busy = 5;
    private const int TableLocked = 6;
    private const int ReadOnly = 8;
    private const int InputOutput = 10;
    private const int Corrupt = 11;
    private const int Full = 13;
    private const int CannotOpen = 14;
    private const int SchemaChanged = 17;
    private const int Constraint = 19;
    private const int Mismatch = 20;
    private const int NotADatabase = 26;

    /// <summary>True for an error that <see cref="Translate"/> knows what to say about; anything else is a defect of ours.</summary>
    public static bool IsFault(Exception error) =>
        error is SqliteException or IOException or UnauthorizedAccessException or DamagedRowException;

    /// <param name="attempt">What was tried, such as "write to" or "open"; the file's path follows it.</param>
    /// <param name="filePath">The store's file.</param>
    /// <param name="error">An error for which <see cref="IsFault"/> holds.</param>
    /// <param name="committing">Whether the transaction had been handed to the disk.</param>
    public static StoreUnavailableException Translate(string attempt, string filePath, Exception error, bool committing = false)
    {
        var fault = FaultOf(error);

        // A commit record is the last thing that a transaction writes: without room for it, or without the lock, nothing happened.
        var mayHaveHappened = committing && fault is not (StoreFault.DiskFull or StoreFault.Locked);
        return new StoreUnavailableException(fault, $"Cannot {attempt} the store {filePath}: {Explain(fault, filePath)}", error, mayHaveHappened);
    }

    private static StoreFault FaultOf(Exception error) => error switch
    {
        SqliteException { SqliteErrorCode: Full } => StoreFault.DiskFull,
        SqliteException { SqliteErrorCode: Busy or TableLocked } => StoreFault.Locked,
        SqliteException { SqliteErrorCode: Corrupt } or DamagedRowException => StoreFault.Corrupt,

        // Every statement is a constant of ours that fits the tables we made. Where one is refused, say for "no such column", or a value
        // does not fit, the tables are not what we made: a bit of the schema itself has changed.
        SqliteException { SqliteErrorCode: Generic or SchemaChanged or Constraint or Mismatch } => StoreFault.Corrupt,
        SqliteException { SqliteErrorCode: NotADatabase } => StoreFault.NotOurs,
        SqliteException { SqliteErrorCode: Permission or ReadOnly or CannotOpen } or UnauthorizedAccessException => StoreFault.AccessDenied,
        SqliteException { SqliteErrorCode: InputOutput } or IOException => StoreFault.InputOutput,
        _ => StoreFault.InputOutput,
    };

    private static string Explain(StoreFault fault, string filePath) => fault switch
    {
        StoreFault.DiskFull =>
            $"the filesystem of {Path.GetDirectoryName(filePath)} is full. Free some space there; reading goes on, and writing will by itself",
        StoreFault.Locked => "another process holds a lock on it. End that process (a second server, or a tool that has the file open)",
        StoreFault.Corrupt =>
            "its content is damaged. Stop the server, keep a copy of the file for diagnosis, and put the last backup in its place",
        StoreFault.NotOurs => "it is not a store of Godwit, or its first page is damaged. Name another file, or restore a backup",
        StoreFault.AccessDenied => "the system does not allow it. Check the owner and the mode of the file and of its folder",
        StoreFault.InputOutput => "the disk or the system failed. Look into the kernel's log (dmesg) for the disk's own error",
        StoreFault.Closed => "it is closed",
        _ => throw new ArgumentOutOfRangeException(nameof(fault), fault, "A fault without an explanation."),
    };
}

/// <summary>A row that is not what was written: the disk gave back something else.</summary>
internal sealed class DamagedRowException(string message) : Exception(message)
{
    public DamagedRowException(long revision)
        : this($"The row of revision {revision} does not match its checksum.")
    {
    }
}
