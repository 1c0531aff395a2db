namespace Godwit.Store;

/// <summary>The rules that every store shares: what a write means for the log, and which revisions can be read.</summary>
public static class StoreChange
{
    /// <summary>The event of a write: a null <paramref name="value"/> deletes, a null <paramref name="existing"/> creates.</summary>
    public static StoreEvent Of(long revision, string key, byte[]? value, StoreItem? existing)
    {
        if (value is null)
        {
            return existing is null
                ? throw new ArgumentException("Only a key that exists can be deleted.", nameof(existing))
                : new StoreEvent(StoreEventKind.Deleted, revision, existing, existing);
        }

        var item = new StoreItem(key, value, existing?.CreateRevision ?? revision, revision);
        return new StoreEvent(existing is null ? StoreEventKind.Created : StoreEventKind.Updated, revision, item, existing);
    }

    /// <exception cref="StoreCompactedException">The revision is older than the history.</exception>
    /// <exception cref="StoreFutureRevisionException">The revision is newer than the store.</exception>
    public static void CheckReadable(long revision, long compactedRevision, long currentRevision)
    {
        if (revision < compactedRevision)
        {
            throw new StoreCompactedException(revision, compactedRevision);
        }

        if (revision > currentRevision)
        {
            throw new StoreFutureRevisionException(revision, currentRevision);
        }
    }
}
