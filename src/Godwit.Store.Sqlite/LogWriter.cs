using Microsoft.Data.Sqlite;

namespace Godwit.Store.Sqlite;

/// <summary>
/// The one connection that writes. Between <see cref="Begin"/> and <see cref="Commit"/> it sees its own writes, so that
/// several of them can stand in one transaction. After any exception it is of no more use: dispose it and make another,
/// which reads from the file what really happened.
/// </summary>
internal sealed class LogWriter : IDisposable
{
    private readonly SqliteConnection connection;
    private readonly LogReader reader;
    private readonly PreparedStatement begin;
    private readonly PreparedStatement commit;
    private readonly PreparedStatement append;
    private readonly PreparedStatement advance;
    private readonly PreparedStatement cleanSuperseded;
    private readonly PreparedStatement cleanDeleted;
    private LogBounds bounds;
    private List<StoreEvent> pending = [];

    public LogWriter(SqliteConnection connection)
    {
        this.connection = connection;
        reader = new LogReader(connection);
        begin = new(connection, "BEGIN IMMEDIATE");
        commit = new(connection, "COMMIT");
        append = new(
            connection,
            "INSERT INTO log (key, revision, create_revision, previous_revision, deleted, value, checksum) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            "$1", "$2", "$3", "$4", "$5", "$6", "$7");
        advance = new(connection, "UPDATE progress SET revision = $revision WHERE name = $name", "$name", "$revision");
        cleanSuperseded = new(
            connection,
            "DELETE FROM log WHERE revision IN (SELECT previous_revision FROM log WHERE revision > $from AND revision <= $to)",
            "$from", "$to");
        cleanDeleted = new(connection, "DELETE FROM log WHERE revision > $from AND revision <= $to AND deleted <> 0", "$from", "$to");
        bounds = reader.Bounds();
    }

    public LogBounds Bounds => bounds;

    public void Begin() => begin.Execute();

    /// <summary>Compare-and-swap. A null value deletes; an expected revision of 0 means that the key must not exist.</summary>
    public StoreWrite Put(string key, byte[]? value, long expectedRevision)
    {
        var existing = reader.Get(key);
        if ((existing?.ModRevision ?? 0) != expectedRevision)
        {
            return new StoreWrite(false, bounds.Current, existing);
        }

        var change = StoreChange.Of(bounds.Current + 1, key, value, existing);
        Append(new LogRow(key, change.Revision, change.Item.CreateRevision, expectedRevision, value is null, value ?? []));
        bounds = bounds with { Current = change.Revision };
        pending.Add(change);
        return new StoreWrite(true, change.Revision, null);
    }

    /// <summary>Makes the revision the beginning of history. What is older is refused from the commit on, and removed by <see cref="Clean"/>.</summary>
    public void Compact(long revision)
    {
        if (revision > bounds.Current)
        {
            throw new StoreFutureRevisionException(revision, bounds.Current);
        }

        if (revision > bounds.Compacted)
        {
            advance.Execute("compacted", revision);
            bounds = bounds with { Compacted = revision };
        }
    }

    /// <summary>
    /// Removes what the next <paramref name="revisions"/> revisions of forgotten history left behind: each row there names
    /// the row that it superseded, and a deletion is its own leftover. So the work is as long as the forgotten history,
    /// however large the store. True when all is clean.
    /// </summary>
    public bool Clean(int revisions)
    {
        var to = Math.Min(bounds.Compacted, bounds.Cleaned + revisions);
        if (to > bounds.Cleaned)
        {
            cleanSuperseded.Execute(bounds.Cleaned, to);
            cleanDeleted.Execute(bounds.Cleaned, to);
            advance.Execute("cleaned", to);
            bounds = bounds with { Cleaned = to };
        }

        return bounds.Cleaned == bounds.Compacted;
    }

    /// <summary>Lets history begin at a later revision that no write has taken. All before it must be compacted and clean.</summary>
    public void SkipTo(long revision)
    {
        if (bounds.Cleaned != bounds.Current || revision < bounds.Current)
        {
            throw new InvalidOperationException($"A log at {bounds} cannot skip to {revision}.");
        }

        advance.Execute("compacted", revision);
        advance.Execute("cleaned", revision);
        bounds = new LogBounds(revision, revision, revision);
    }

    /// <summary>Returns once everything since <see cref="Begin"/> is on the disk.</summary>
    /// <returns>The events of the transaction, in order.</returns>
    public IReadOnlyList<StoreEvent> Commit()
    {
        commit.Execute();
        var events = pending;
        pending = [];
        return events;
    }

    public void Dispose()
    {
        foreach (var statement in (ReadOnlySpan<PreparedStatement>)[begin, commit, append, advance, cleanSuperseded, cleanDeleted])
        {
            statement.Dispose();
        }

        reader.Dispose();
        connection.Dispose();
    }

    private void Append(LogRow row) =>
        append.Execute(row.Key, row.Revision, row.CreateRevision, row.PreviousRevision, row.Deleted ? 1L : 0L, row.Value, row.Checksum());
}
