using System.Text.Json.Nodes;
using Godwit.Api.Machinery;

namespace Godwit.Api.Documents;

/// <summary>
/// What a server serves, in the two forms that clients ask for: one document for each path (every client knows them), and
/// all groups in one (aggregated; newer clients ask by media type). Made when first asked for, and kept.
/// Source: Kubernetes documentation, "The Kubernetes API: API discovery".
/// </summary>
public sealed class Discovery
{
    private readonly ApiSurface surface;
    private readonly IReadOnlyList<GroupVersion> versions;
    private readonly Lazy<Dictionary<string, Document>> legacy;
    private readonly Lazy<Dictionary<(bool Core, string Version), Document>> aggregated;

    public Discovery(ApiSurface surface)
    {
        this.surface = surface;
        versions = surface.GroupVersions;
        legacy = new(MakeLegacy);
        aggregated = new(MakeAggregated);
    }

    /// <summary>The document at <c>/api</c>, <c>/apis</c>, <c>/api/v1</c>, <c>/apis/GROUP</c> or <c>/apis/GROUP/VERSION</c>; null for other paths.</summary>
    public Document? Find(string path) => legacy.Value.GetValueOrDefault(path);

    /// <summary>All of <c>/api</c> or <c>/apis</c> in one.</summary>
    /// <param name="core">True for <c>/api</c>.</param>
    /// <param name="version"><c>v2</c> or <c>v2beta1</c>, as the client's Accept header says after <c>v=</c>.</param>
    /// <returns>Null for a version that there is not.</returns>
    public Document? FindAggregated(bool core, string version) => aggregated.Value.GetValueOrDefault((core, version));

    private Dictionary<string, Document> MakeLegacy()
    {
        var groups = versions.Where(version => version.Group.Length > 0).GroupBy(version => version.Group, StringComparer.Ordinal).ToList();
        var documents = new Dictionary<string, Document>(StringComparer.Ordinal)
        {
            ["/api"] = Document.Of(new JsonObject
            {
                ["kind"] = "APIVersions",
                ["versions"] = versions.Where(version => version.Group.Length == 0).Select(version => version.Version).ToJson(),
                ["serverAddressByClientCIDRs"] = new JsonArray(),
            }),
            ["/apis"] = Document.Of(new JsonObject
            {
                ["kind"] = "APIGroupList",
                ["apiVersion"] = "v1",
                ["groups"] = groups.Select(group => DescribeGroup(group.Key, group)).ToJson(),
            }),
        };
        foreach (var group in groups)
        {
            var content = DescribeGroup(group.Key, group);
            content.Insert(0, "kind", "APIGroup");
            content.Insert(1, "apiVersion", "v1");
            documents.Add($"/apis/{group.Key}", Document.Of(content));
        }

        foreach (var version in versions)
        {
            documents.Add($"/{version.Path}", Document.Of(new JsonObject
            {
                ["kind"] = "APIResourceList",
                ["apiVersion"] = "v1",
                ["groupVersion"] = version.Text,
                ["resources"] = DescribeResources(version).ToJson(),
            }));
        }

        return documents;
    }

    private static JsonObject DescribeGroup(string name, IEnumerable<GroupVersion> versions) => new()
    {
        ["name"] = name,
        ["versions"] = versions.Select(DescribeVersion).ToJson(),
        ["preferredVersion"] = DescribeVersion(versions.First()),
    };

    private static JsonObject DescribeVersion(GroupVersion version) => new() { ["groupVersion"] = version.Text, ["version"] = version.Version };

    private IEnumerable<JsonObject> DescribeResources(GroupVersion version)
    {
        foreach (var resource in ResourcesOf(version))
        {
            var entry = Entry(resource.Plural, resource.Singular, resource.Namespaced, resource.Kind, Verbs.Of(resource));
            AddNames(entry, resource);
            yield return entry;
            if (resource.HasStatus)
            {
                yield return Entry($"{resource.Plural}/status", "", resource.Namespaced, resource.Kind, Verbs.Subresource);
            }

            if (resource.Scale is not null)
            {
                var scale = Entry($"{resource.Plural}/scale", "", resource.Namespaced, "Scale", Verbs.Subresource);
                scale["group"] = "autoscaling";
                scale["version"] = "v1";
                yield return scale;
            }
        }

        foreach (var question in surface.Questions.Where(question => question.Type.Group == version.Group && question.Type.Version == version.Version))
        {
            yield return Entry(question.Type.Plural, question.Singular, question.Type.Namespaced, question.Type.Kind, Verbs.Question);
        }

        foreach (var verb in VerbsOf(version))
        {
            var entry = Entry($"{verb.Plural}/{verb.Name}", "", namespaced: true, verb.Kind, verb.Verbs);
            if (verb.KindGroup is not null)
            {
                entry["group"] = verb.KindGroup;
                entry["version"] = "v1";
            }

            yield return entry;
        }
    }

    private static JsonObject Entry(string name, string singular, bool namespaced, string kind, IReadOnlyList<string> verbs) => new()
    {
        ["name"] = name,
        ["singularName"] = singular,
        ["namespaced"] = namespaced,
        ["kind"] = kind,
        ["verbs"] = verbs.ToJson(),
    };

    private static void AddNames(JsonObject entry, ResourceDefinition resource)
    {
        if (resource.ShortNames.Count > 0)
        {
            entry["shortNames"] = resource.ShortNames.ToJson();
        }

        if (resource.Categories.Count > 0)
        {
            entry["categories"] = resource.Categories.ToJson();
        }
    }

    private Dictionary<(bool Core, string Version), Document> MakeAggregated()
    {
        var documents = new Dictionary<(bool, string), Document>();
        foreach (var form in new[] { "v2", "v2beta1" })
        {
            foreach (var core in new[] { true, false })
            {
                var groups = versions.Where(version => version.Group.Length == 0 == core).GroupBy(version => version.Group, StringComparer.Ordinal);
                documents.Add((core, form), Document.Of(new JsonObject
                {
                    ["kind"] = "APIGroupDiscoveryList",
                    ["apiVersion"] = $"apidiscovery.k8s.io/{form}",
                    ["metadata"] = new JsonObject(),
                    ["items"] = groups.Select(group => AggregateGroup(group.Key, group)).ToJson(),
                }));
            }
        }

        return documents;
    }

    private JsonObject AggregateGroup(string name, IEnumerable<GroupVersion> groupVersions) => new()
    {
        ["metadata"] = name.Length == 0 ? new JsonObject { ["creationTimestamp"] = null } : new JsonObject { ["name"] = name, ["creationTimestamp"] = null },
        ["versions"] = groupVersions.Select(version => new JsonObject
        {
            ["version"] = version.Version,
            ["resources"] = AggregateResources(version).ToJson(),
            ["freshness"] = "Current",
        }).ToJson(),
    };

    private IEnumerable<JsonObject> AggregateResources(GroupVersion version)
    {
        foreach (var resource in ResourcesOf(version))
        {
            var entry = AggregateEntry(resource.Plural, resource.Singular, resource.Namespaced, KindOf(version, resource.Kind), Verbs.Of(resource));
            AddNames(entry, resource);
            var subresources = new JsonArray();
            if (resource.HasStatus)
            {
                subresources.Add((JsonNode)AggregateSubresource("status", KindOf(version, resource.Kind), Verbs.Subresource));
            }

            if (resource.Scale is not null)
            {
                subresources.Add((JsonNode)AggregateSubresource("scale", KindOf(new GroupVersion("autoscaling", "v1"), "Scale"), Verbs.Subresource));
            }

            foreach (var verb in VerbsOf(version).Where(verb => verb.Plural == resource.Plural))
            {
                subresources.Add((JsonNode)AggregateVerb(version, verb));
            }

            if (subresources.Count > 0)
            {
                entry["subresources"] = subresources;
            }

            yield return entry;
        }

        foreach (var question in surface.Questions.Where(question => question.Type.Group == version.Group && question.Type.Version == version.Version))
        {
            yield return AggregateEntry(question.Type.Plural, question.Singular, question.Type.Namespaced, KindOf(version, question.Type.Kind), Verbs.Question);
        }

        // A parent that is served elsewhere has no kind here: it only carries its subresources.
        var served = ResourcesOf(version).Select(resource => resource.Plural).ToHashSet(StringComparer.Ordinal);
        foreach (var parent in VerbsOf(version).Where(verb => !served.Contains(verb.Plural)).GroupBy(verb => verb.Plural, StringComparer.Ordinal))
        {
            yield return new JsonObject
            {
                ["resource"] = parent.Key,
                ["responseKind"] = null,
                ["scope"] = "Namespaced",
                ["singularResource"] = "",
                ["verbs"] = new JsonArray(),
                ["subresources"] = parent.Select(verb => AggregateVerb(version, verb)).ToJson(),
            };
        }
    }

    private static JsonObject AggregateEntry(string plural, string singular, bool namespaced, JsonObject kind, IReadOnlyList<string> verbs) => new()
    {
        ["resource"] = plural,
        ["responseKind"] = kind,
        ["scope"] = namespaced ? "Namespaced" : "Cluster",
        ["singularResource"] = singular,
        ["verbs"] = verbs.ToJson(),
    };

    private static JsonObject AggregateSubresource(string name, JsonObject kind, IReadOnlyList<string> verbs) =>
        new() { ["subresource"] = name, ["responseKind"] = kind, ["verbs"] = verbs.ToJson() };

    private static JsonObject AggregateVerb(GroupVersion version, VerbSubresource verb) =>
        AggregateSubresource(verb.Name, KindOf(verb.KindGroup is null ? version : new GroupVersion(verb.KindGroup, "v1"), verb.Kind), verb.Verbs);

    private static JsonObject KindOf(GroupVersion version, string kind) =>
        new() { ["group"] = version.Group, ["version"] = version.Version, ["kind"] = kind };

    private IEnumerable<ResourceDefinition> ResourcesOf(GroupVersion version) =>
        surface.Resources.Where(resource => resource.Group == version.Group && resource.Version == version.Version).OrderBy(resource => resource.Plural, StringComparer.Ordinal);

    private IEnumerable<VerbSubresource> VerbsOf(GroupVersion version) =>
        surface.VerbSubresources.Where(verb => verb.Group == version.Group && verb.Version == version.Version);
}
