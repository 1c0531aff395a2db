using Godwit.Api.Machinery;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// One kind as this server serves it: its definition and its form in the store. Keys are <c>GROUP/PLURAL/NAMESPACE/NAME</c>, or <c>GROUP/PLURAL/NAME</c> for a kind without namespaces, with
/// <c>core</c> for the empty group, by the group and plural that it is stored under. Names hold no slash, so the keys of a namespace are exactly those with its prefix.
/// </summary>
internal sealed class ServedResource(ResourceDefinition definition)
{
    public ResourceDefinition Definition { get; } = definition;

    public StoredForm Form { get; } = new(definition);

    /// <summary>What every key of this kind starts with.</summary>
    public string KeyPrefix { get; } = KeyPrefixOf(definition.Conversion?.Stored ?? definition);

    public string Key(string ns, string name) => Definition.Namespaced ? $"{KeyPrefix}{ns}/{name}" : KeyPrefix + name;

    /// <summary>The prefix of a list: of the whole kind when <paramref name="ns"/> is empty.</summary>
    public string ListPrefix(string ns) => ns.Length == 0 ? KeyPrefix : $"{KeyPrefix}{ns}/";

    private static string KeyPrefixOf(ResourceDefinition stored) => $"{(stored.Group.Length == 0 ? "core" : stored.Group)}/{stored.Plural}/";

    public StoredObject Object(StoreItem item) => new(this, item.Key, item.Value, item.ModRevision);
}

/// <summary>An object as it lies in the store. <see cref="Revision"/> is its resourceVersion.</summary>
internal readonly record struct StoredObject(ServedResource Resource, string Key, ReadOnlyMemory<byte> Value, long Revision)
{
    public ReadOnlySpan<char> Name => Key.AsSpan(Key.LastIndexOf('/') + 1);

    /// <summary>Empty for a kind without namespaces.</summary>
    public ReadOnlySpan<char> Namespace =>
        Resource.Definition.Namespaced ? Key.AsSpan(Resource.KeyPrefix.Length, Key.LastIndexOf('/') - Resource.KeyPrefix.Length) : default;
}

/// <summary>All kinds that the server serves, found by URL or by store key.</summary>
internal sealed class ServedResources
{
    private readonly Dictionary<(string Group, string Version, string Plural), ServedResource> byUrl = [];
    private readonly Dictionary<string, ServedResource>.AlternateLookup<ReadOnlySpan<char>> byKeyPrefix;

    public ServedResources(ResourceRegistry registry)
    {
        Registry = registry;
        var prefixes = new Dictionary<string, ServedResource>(StringComparer.Ordinal);
        foreach (var definition in registry.All)
        {
            var served = new ServedResource(definition);
            byUrl.Add((definition.Group, definition.Version, definition.Plural), served);
            if (definition.Conversion is null && !prefixes.TryAdd(served.KeyPrefix, served))
            {
                throw new ArgumentException($"{served.KeyPrefix} is served in two versions of which neither says how it is converted.", nameof(registry));
            }
        }

        byKeyPrefix = prefixes.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public ResourceRegistry Registry { get; }

    public IReadOnlyCollection<ServedResource> All => byUrl.Values;

    public ServedResource? Find(string group, string version, string plural) => byUrl.GetValueOrDefault((group, version, plural));

    /// <summary>The kind that a store key belongs to, or null for a key of another program.</summary>
    public ServedResource? FindByKey(ReadOnlySpan<char> key)
    {
        var first = key.IndexOf('/');
        var second = first < 0 ? -1 : key[(first + 1)..].IndexOf('/');
        return second >= 0 && byKeyPrefix.TryGetValue(key[..(first + second + 2)], out var served) ? served : null;
    }
}
