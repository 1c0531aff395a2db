namespace Godwit.Store;

/// <summary>The history asked for is gone. The API answers 410 Expired and the client lists again.</summary>
public sealed class StoreCompactedException(long requestedRevision, long compactedRevision)
    : Exception($"Revision {requestedRevision} is gone: the store's history begins at {compactedRevision}.")
{
    public long RequestedRevision { get; } = requestedRevision;

    public long CompactedRevision { get; } = compactedRevision;
}

/// <summary>A revision was named that no write has taken yet: another store's, or one from before a restored backup.</summary>
public sealed class StoreFutureRevisionException(long requestedRevision, long currentRevision)
    : Exception($"Revision {requestedRevision} does not exist yet: the store is at {currentRevision}.")
{
    public long RequestedRevision { get; } = requestedRevision;

    public long CurrentRevision { get; } = currentRevision;
}

/// <summary>Why a store could not serve.</summary>
public enum StoreFault
{
    /// <summary>No room for the write. Reads go on; writes work again as soon as there is room.</summary>
    DiskFull,

    /// <summary>Another process holds the store.</summary>
    Locked,

    /// <summary>The file's content is damaged: restore a backup.</summary>
    Corrupt,

    /// <summary>The file is something else, or was made by a newer version.</summary>
    NotOurs,

    /// <summary>The file or its folder may not be read or written.</summary>
    AccessDenied,

    /// <summary>The disk or the system failed a read, a write or a flush.</summary>
    InputOutput,

    /// <summary>The store has been closed.</summary>
    Closed,

    /// <summary>A store elsewhere on the network does not answer, or cannot agree within itself on an answer.</summary>
    Unreachable,
}

/// <summary>A value that the store does not take for its size. Nothing was written.</summary>
public sealed class StoreValueTooLargeException(long valueBytes, long valueBytesMax)
    : ArgumentException($"A stored value has at most {valueBytesMax} bytes; this one has {valueBytes}.")
{
    public long ValueBytesMax { get; } = valueBytesMax;
}

/// <summary>
/// The store cannot serve this call. The message says what was tried, on which file, why it failed and what to do; the
/// cause is the inner exception. The store itself lives on: the next call is a new attempt.
/// </summary>
public sealed class StoreUnavailableException(StoreFault fault, string message, Exception? cause = null, bool mayHaveHappened = false)
    : Exception(message, cause)
{
    public StoreFault Fault { get; } = fault;

    /// <summary>True when the write was handed to the disk or the network and its end is unknown; false when it certainly did not happen.</summary>
    public bool MayHaveHappened { get; } = mayHaveHappened;

    public static StoreUnavailableException ForClosed(string store, bool mayHaveHappened = false) =>
        new(StoreFault.Closed, $"{store} is closed: the server is shutting down, or its store was disposed too early.", mayHaveHappened: mayHaveHappened);
}
