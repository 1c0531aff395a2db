namespace Godwit.Store;

/// <summary>
/// What a key and a value may be. Keys are printable ASCII so that their order, and the end of a prefix, are the same
/// in memory (UTF-16), in a file (UTF-8) and in another store.
/// </summary>
public static class StoreLimits
{
    public const int KeyLengthMax = 1024;

    public const int ValueBytesMax = 4 * 1024 * 1024;

    /// <exception cref="ArgumentException">The key is empty, too long or not printable ASCII.</exception>
    public static void CheckKey(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        CheckPrefix(key);
    }

    /// <exception cref="ArgumentException">The prefix could not begin any key.</exception>
    public static void CheckPrefix(string prefix)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        if (prefix.Length > KeyLengthMax)
        {
            throw new ArgumentException($"A store key has at most {KeyLengthMax} characters; this one has {prefix.Length}.", nameof(prefix));
        }

        if (prefix.AsSpan().IndexOfAnyExceptInRange('!', '~') >= 0)
        {
            throw new ArgumentException("A store key is printable ASCII without spaces.", nameof(prefix));
        }
    }

    /// <param name="value">What is to be stored.</param>
    /// <param name="bytesMax">What this store takes, where it is less than <see cref="ValueBytesMax"/>.</param>
    /// <exception cref="StoreValueTooLargeException">The value is larger.</exception>
    public static void CheckValue(ReadOnlyMemory<byte> value, int bytesMax = ValueBytesMax)
    {
        if (value.Length > bytesMax)
        {
            throw new StoreValueTooLargeException(value.Length, bytesMax);
        }
    }

    /// <exception cref="ArgumentException">The prefix could not begin any key, or the limit or the revision is negative.</exception>
    public static void CheckQuery(StoreListQuery query)
    {
        CheckPrefix(query.Prefix);
        if (query.Limit < 0 || query.Revision < 0)
        {
            throw new ArgumentException($"A list's limit ({query.Limit}) and revision ({query.Revision}) are not negative.", nameof(query));
        }
    }

    /// <summary>The first string after every key that starts with the prefix.</summary>
    public static string EndOfPrefix(string prefix) =>
        prefix.Length == 0 ? "\u007f" : string.Concat(prefix.AsSpan(0, prefix.Length - 1), [(char)(prefix[^1] + 1)]);
}
