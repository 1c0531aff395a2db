namespace Godwit.Client;

/// <summary>Where an object is: its namespace (empty for a cluster-wide kind) and its name. Printed as <c>namespace/name</c>.</summary>
public readonly record struct ResourceKey(string Namespace, string Name) : IComparable<ResourceKey>
{
    public static ResourceKey Of(Resource resource) => new(resource.Metadata.Namespace, resource.Metadata.Name);

    public int CompareTo(ResourceKey other)
    {
        var byNamespace = string.CompareOrdinal(Namespace, other.Namespace);
        return byNamespace != 0 ? byNamespace : string.CompareOrdinal(Name, other.Name);
    }

    public override string ToString() => Namespace.Length == 0 ? Name : $"{Namespace}/{Name}";

    public static bool operator <(ResourceKey left, ResourceKey right) => left.CompareTo(right) < 0;

    public static bool operator <=(ResourceKey left, ResourceKey right) => left.CompareTo(right) <= 0;

    public static bool operator >(ResourceKey left, ResourceKey right) => left.CompareTo(right) > 0;

    public static bool operator >=(ResourceKey left, ResourceKey right) => left.CompareTo(right) >= 0;
}
