using Microsoft.Data.Sqlite;

namespace Godwit.Store.Sqlite;

/// <summary>
/// One connection's view of the log. Each method sees one state of the file: a single statement, or statements inside
/// one read transaction. Not for two threads at once; <see cref="ReaderPool"/> sees to that.
/// </summary>
internal sealed class LogReader : IDisposable
{
    /// <summary>
    /// The newest row of each key at $at. The index holds key, revision and deleted, so rows that are not the answer are
    /// stepped over without being read. Order and limit come from the index as well: a page costs what is on it.
    /// </summary>
    private const string ListRows = $"""
        SELECT {LogRow.Columns} FROM log l INDEXED BY log_by_key
        WHERE l.key >= $prefix AND l.key < $end AND l.key > $after AND l.deleted = 0 AND l.revision <= $at
        AND l.revision = (SELECT MAX(n.revision) FROM log n WHERE n.key = l.key AND n.revision <= $at)
        ORDER BY l.key LIMIT $limit
        """;

    /// <summary>
    /// How many rows the list would have: one pass over the index, twice as fast as asking anew for every key. Beside
    /// MAX, SQLite takes <c>deleted</c> from the row that holds the maximum (its documented rule for bare columns).
    /// </summary>
    private const string CountRows = """
        SELECT COUNT(*) FROM (
            SELECT deleted, MAX(revision) FROM log INDEXED BY log_by_key
            WHERE key >= $prefix AND key < $end AND key > $after AND revision <= $at GROUP BY key)
        WHERE deleted = 0
        """;

    private readonly SqliteConnection connection;
    private readonly PreparedStatement begin;
    private readonly PreparedStatement end;
    private readonly PreparedStatement bounds;
    private readonly PreparedStatement get;
    private readonly PreparedStatement list;
    private readonly PreparedStatement count;
    private readonly PreparedStatement follow;

    public LogReader(SqliteConnection connection)
    {
        this.connection = connection;
        begin = new(connection, "BEGIN");
        end = new(connection, "COMMIT");
        bounds = new(connection, """
            SELECT IFNULL((SELECT MAX(revision) FROM log), 0),
                   (SELECT revision FROM progress WHERE name = 'compacted'),
                   (SELECT revision FROM progress WHERE name = 'cleaned')
            """);
        get = new(connection, $"SELECT {LogRow.Columns} FROM log l WHERE l.key = $key ORDER BY l.revision DESC LIMIT 1", "$key");
        list = new(connection, ListRows, "$prefix", "$end", "$after", "$at", "$limit");
        count = new(connection, CountRows, "$prefix", "$end", "$after", "$at");
        follow = new(connection, $"""
            SELECT {LogRow.Columns}, {LogRow.PreviousColumns} FROM log l LEFT JOIN log p ON p.revision = l.previous_revision
            WHERE l.revision > $after ORDER BY l.revision LIMIT $limit
            """, "$after", "$limit");
    }

    /// <summary>Where the log stands. The log itself may be empty after a compaction, so its revision is remembered there too.</summary>
    public LogBounds Bounds()
    {
        using var row = bounds.Query();
        row.Read();
        if (row.IsDBNull(1) || row.IsDBNull(2))
        {
            throw new DamagedRowException("The log's progress is not there: a row of it has lost its name.");
        }

        var compacted = row.GetInt64(1);
        return new LogBounds(Math.Max(Math.Max(row.GetInt64(0), compacted), 1), compacted, row.GetInt64(2));
    }

    public StoreItem? Get(string key)
    {
        using var rows = get.Query(key);
        return rows.Read() && LogRow.Read(rows) is { Deleted: false } row ? row.ToItem() : null;
    }

    public StoreList List(StoreListQuery query) => Snapshot(() =>
    {
        var now = Bounds();
        var at = query.Revision == 0 ? now.Current : query.Revision;
        StoreChange.CheckReadable(at, now.Compacted, now.Current);

        var endOfPrefix = StoreLimits.EndOfPrefix(query.Prefix);
        var items = new List<StoreItem>();
        var isCut = false;
        using (var rows = list.Query(query.Prefix, endOfPrefix, query.After ?? "", at, query.Limit == 0 ? -1 : query.Limit + 1))
        {
            while (rows.Read() && !(isCut = query.Limit > 0 && items.Count == query.Limit))
            {
                items.Add(LogRow.Read(rows).ToItem());
            }
        }

        var remaining = !isCut ? 0 : query.CountsRemaining ? count.Number(query.Prefix, endOfPrefix, items[^1].Key, at) : 1;
        return new StoreList(at, items, remaining);
    });

    /// <summary>The next events of the log. Only what lies after the compacted revision is sure to be without gaps.</summary>
    public StoreEventBatch Follow(string prefix, long afterRevision, EventFeedLimits limits) => Snapshot(() =>
    {
        var now = Bounds();
        if (afterRevision < now.Compacted)
        {
            throw new StoreCompactedException(afterRevision, now.Compacted);
        }

        var events = new List<StoreEvent>();
        var reached = now.Current;
        var bytes = 0L;
        using var rows = follow.Query(afterRevision, limits.BatchEventsMax);
        for (var read = 1; rows.Read(); read++)
        {
            var revision = rows.GetInt64(1);
            if (rows.GetString(0).StartsWith(prefix, StringComparison.Ordinal))
            {
                events.Add(ReadEvent(rows));
                bytes += events[^1].Item.Value.Length;
            }

            if (read == limits.BatchEventsMax || bytes >= limits.BytesMax)
            {
                reached = revision;
                break;
            }
        }

        return new StoreEventBatch(reached, events);
    });

    public void Dispose()
    {
        foreach (var statement in (ReadOnlySpan<PreparedStatement>)[begin, end, bounds, get, list, count, follow])
        {
            statement.Dispose();
        }

        connection.Dispose();
    }

    private static StoreEvent ReadEvent(SqliteDataReader rows)
    {
        var row = LogRow.Read(rows);
        var previous = rows.IsDBNull(LogRow.ColumnCount) ? null : LogRow.Read(rows, LogRow.ColumnCount);
        if ((previous is null) != (row.PreviousRevision == 0))
        {
            throw new DamagedRowException(row.Revision); // What it replaced is kept as long as it is.
        }

        return StoreChange.Of(row.Revision, row.Key, row.Deleted ? null : row.Value, previous?.ToItem());
    }

    private T Snapshot<T>(Func<T> read)
    {
        begin.Execute();
        try
        {
            return read();
        }
        finally
        {
            end.Execute();
        }
    }
}

/// <summary>How far the log has come, as one transaction sees it.</summary>
/// <param name="Current">The newest revision.</param>
/// <param name="Compacted">History begins here.</param>
/// <param name="Cleaned">Up to here compaction has removed its leftovers; behind <paramref name="Compacted"/> only while it is at work.</param>
internal readonly record struct LogBounds(long Current, long Compacted, long Cleaned);
