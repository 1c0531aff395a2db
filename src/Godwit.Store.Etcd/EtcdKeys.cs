using System.Text;
using Google.Protobuf;
using Godwit.Store.Etcd.Wire;

namespace Godwit.Store.Etcd;

/// <summary>Our keys among etcd's: each begins with the prefix of the address.</summary>
internal sealed class EtcdKeys(string prefix)
{
    /// <summary>In a range's beginning the first key there can be, in its end: no end.</summary>
    public static readonly ByteString Everything = ByteString.CopyFrom(0);

    public ByteString Of(string key) => ByteString.CopyFrom(prefix + key, Encoding.Latin1);

    /// <summary>The first key after every one that starts with the prefix of a store's list.</summary>
    public ByteString EndOf(string listPrefix) => ByteString.CopyFrom(StoreLimits.EndOfPrefix(prefix + listPrefix), Encoding.Latin1);

    /// <summary>The first key after this one.</summary>
    public ByteString After(string key) => ByteString.CopyFrom(prefix + key + "\0", Encoding.Latin1);

    /// <summary>The store's key, or null for what is somebody else's.</summary>
    public string? Own(ByteString key)
    {
        var text = Encoding.Latin1.GetString(key.Span);
        return text.StartsWith(prefix, StringComparison.Ordinal) && text.Length > prefix.Length ? text[prefix.Length..] : null;
    }

    public StoreItem? Item(KeyValue found) =>
        Own(found.Key) is { } key ? new StoreItem(key, StoredValue.Content(found.Value), found.CreateRevision, found.ModRevision) : null;
}
