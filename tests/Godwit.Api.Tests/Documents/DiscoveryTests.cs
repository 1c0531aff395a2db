using System.Text.Json.Nodes;
using Godwit.Api.Documents;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.Api.Tests.Documents;

public sealed class DiscoveryTests
{
    private static readonly Api.Documents.Discovery Discovery = new(ApiSurface.Godwit);

    [Fact]
    public void Groups_and_their_versions_are_listed()
    {
        var groups = Read(Discovery.Find("/apis"))["groups"]!.AsArray();

        Assert.Equal(
            ["apps", "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "godwit.dev", "kubevirt.io", "metrics.k8s.io", "migrations.kubevirt.io", "policy", "rbac.authorization.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "subresources.kubevirt.io"],
            groups.Select(group => group.TextAt("name")));
        Assert.All(groups, group => Assert.NotNull(Discovery.Find($"/apis/{group.TextAt("preferredVersion", "groupVersion")}")));
        Assert.All(groups, group => Assert.Equal("APIGroup", Read(Discovery.Find($"/apis/{group.TextAt("name")}")).TextAt("kind")));
        Assert.Equal("""["v1"]""", Read(Discovery.Find("/api"))["versions"]!.ToJsonString());
        Assert.Equal("v2", Read(Discovery.Find("/apis/autoscaling")).TextAt("preferredVersion", "version"));
        Assert.Null(Discovery.Find("/apis/none"));
    }

    [Fact]
    public void Resources_are_listed_with_their_subresources_and_names()
    {
        var resources = Read(Discovery.Find("/apis/kubevirt.io/v1"))["resources"]!.AsArray();

        Assert.Equal(
            """{"name":"virtualmachines","singularName":"virtualmachine","namespaced":true,"kind":"VirtualMachine","verbs":["create","delete","deletecollection","get","list","patch","update","watch"],"shortNames":["vm","vms"],"categories":["all"]}""",
            Assert.Single(resources, resource => resource.TextAt("name") == "virtualmachines")!.ToJsonString());
        Assert.Contains(resources, resource => resource.TextAt("name") == "virtualmachines/status");
    }

    [Theory]
    [InlineData("v2")]
    [InlineData("v2beta1")]
    public void The_aggregated_form_says_the_same_as_the_single_documents(string form)
    {
        foreach (var core in new[] { true, false })
        {
            var document = Read(Discovery.FindAggregated(core, form));
            Assert.Equal($"apidiscovery.k8s.io/{form}", document.TextAt("apiVersion"));
            foreach (var group in document["items"]!.AsArray())
            {
                foreach (var version in group.ArrayAt("versions")!)
                {
                    var path = core ? $"/api/{version.TextAt("version")}" : $"/apis/{group.TextAt("metadata", "name")}/{version.TextAt("version")}";
                    var single = Read(Discovery.Find(path))["resources"]!.AsArray().Select(resource => resource.TextAt("name")!);
                    Assert.Equal(single.Order(StringComparer.Ordinal), Names(version!).Order(StringComparer.Ordinal));
                }
            }
        }
    }

    [Fact]
    public void Each_version_of_a_kind_is_discovered_once()
    {
        var kinds = new[] { true, false }.SelectMany(core => Read(Discovery.FindAggregated(core, "v2"))["items"]!.AsArray())
            .SelectMany(group => group.ArrayAt("versions")!).SelectMany(version => version.ArrayAt("resources")!)
            .Where(resource => resource.At("responseKind") is not null)
            .Select(resource => (resource.TextAt("responseKind", "group"), resource.TextAt("responseKind", "version"), resource.TextAt("responseKind", "kind"), resource.TextAt("resource")))
            .ToList();

        Assert.Equal(kinds.Distinct().Count(), kinds.Count);
        Assert.All(BuiltInKinds.All, kind => Assert.Contains((kind.Group, kind.Version, kind.Kind, kind.Plural), kinds));
    }

    [Fact]
    public void An_unknown_form_of_the_aggregated_document_is_not_there() => Assert.Null(Discovery.FindAggregated(core: true, "v3"));

    [Fact]
    public void The_same_surface_has_the_same_entity_tags() =>
        Assert.Equal(Discovery.FindAggregated(core: false, "v2")!.ETag, new Api.Documents.Discovery(ApiSurface.Godwit).FindAggregated(core: false, "v2")!.ETag);

    // A parent without a kind is not a resource of its own; its subresources are.
    private static IEnumerable<string> Names(JsonNode version) =>
        from resource in version.ArrayAt("resources")!
        let name = resource.TextAt("resource")
        let own = resource.At("responseKind") is null ? Enumerable.Empty<string>() : [name]
        from full in own.Concat((resource.ArrayAt("subresources") ?? []).Select(subresource => $"{name}/{subresource.TextAt("subresource")}"))
        select full;

    private static JsonObject Read(Document? document) => JsonNode.Parse(document!.Bytes.Span)!.AsObject();
}
