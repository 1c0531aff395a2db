using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Microsoft.Data.Sqlite;

namespace Godwit.Store.Sqlite;

/// <summary>
/// One row of the log: the value that <see cref="Revision"/> wrote, or that it deleted the key.
/// <see cref="PreviousRevision"/> 0 means that the key did not exist before.
/// </summary>
internal sealed record LogRow(string Key, long Revision, long CreateRevision, long PreviousRevision, bool Deleted, byte[] Value)
{
    /// <summary>The columns of a row of <c>log l</c>, in the order that <see cref="Read"/> takes them.</summary>
    public const string Columns = "l.key, l.revision, l.create_revision, l.previous_revision, l.deleted, l.value, l.checksum";

    /// <summary>The same of the row before it, <c>log p</c>.</summary>
    public const string PreviousColumns = "p.key, p.revision, p.create_revision, p.previous_revision, p.deleted, p.value, p.checksum";

    /// <summary>How many columns that is.</summary>
    public const int ColumnCount = 7;

    public StoreItem ToItem() => new(Key, Value, CreateRevision, Revision);

    /// <exception cref="DamagedRowException">The row is not what was written.</exception>
    public static LogRow Read(SqliteDataReader reader, int first = 0)
    {
        var row = new LogRow(
            reader.GetString(first),
            reader.GetInt64(first + 1),
            reader.GetInt64(first + 2),
            reader.GetInt64(first + 3),
            reader.GetInt64(first + 4) != 0,
            reader.GetFieldValue<byte[]>(first + 5));
        return reader.GetInt64(first + 6) == row.Checksum() ? row : throw new DamagedRowException(row.Revision);
    }

    /// <summary>
    /// CRC-32C (Castagnoli, as in RFC 3720) over all columns. SQLite checks the shape of its pages but not the bytes in
    /// them, so a bit that flips in a value would go unseen.
    /// </summary>
    public long Checksum()
    {
        Span<byte> head = stackalloc byte[(4 * sizeof(long)) + StoreLimits.KeyLengthMax];
        BinaryPrimitives.WriteInt64LittleEndian(head, Revision);
        BinaryPrimitives.WriteInt64LittleEndian(head[8..], CreateRevision);
        BinaryPrimitives.WriteInt64LittleEndian(head[16..], PreviousRevision);
        BinaryPrimitives.WriteInt64LittleEndian(head[24..], Deleted ? 1 : 0);
        if (!Encoding.UTF8.TryGetBytes(Key, head[32..], out var keyBytes))
        {
            throw new DamagedRowException(Revision); // Longer than any key that we write.
        }

        return ~Append(Append(uint.MaxValue, head[..(32 + keyBytes)]), Value);
    }

    private static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (var rest in bytes)
        {
            crc = BitOperations.Crc32C(crc, rest);
        }

        return crc;
    }
}
