namespace Godwit.Api.Machinery;

/// <summary>The kinds that a server serves. Built once at start, read without locks after.</summary>
public sealed class ResourceRegistry
{
    private readonly Dictionary<(string Group, string Version, string Plural), ResourceDefinition> byPlural = [];

    public ResourceRegistry(IEnumerable<ResourceDefinition> definitions)
    {
        foreach (var definition in definitions)
        {
            if (!byPlural.TryAdd((definition.Group, definition.Version, definition.Plural), definition))
            {
                throw new ArgumentException($"{definition.Plural}.{definition.ApiVersion} is registered twice.", nameof(definitions));
            }
        }
    }

    public IReadOnlyCollection<ResourceDefinition> All => byPlural.Values;

    public ResourceDefinition? Find(string group, string version, string plural) => byPlural.GetValueOrDefault((group, version, plural));
}
