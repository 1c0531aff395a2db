using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.Wire.Tests;

/// <summary>A kind with a scale subresource, which none of the built-in ones has.</summary>
internal static class ScalableKind
{
    public static ResourceDefinition Definition { get; } = new()
    {
        Group = "example.org",
        Version = "v1",
        Kind = "Fleet",
        Plural = "fleets",
        Singular = "fleet",
        Namespaced = true,
        Schema = new ObjectSchema(
            "org.example.v1.Fleet",
            "A number of ships.",
            new SchemaField("apiVersion", Schema.Text, "The version."),
            new SchemaField("kind", Schema.Text, "The kind."),
            BuiltInKinds.All[0].Schema.Find("metadata")!,
            new SchemaField("spec", new ObjectSchema("org.example.v1.FleetSpec", "What is wanted.", [new SchemaField("replicas", Schema.Integer32, "How many ships.")]), "What is wanted."),
            new SchemaField("status", new ObjectSchema("org.example.v1.FleetStatus", "What is.", [new SchemaField("replicas", Schema.Integer32, "How many there are.")]), "What is.")),
        Strategy = new NoRules(),
        Columns = [Columns.Age()],
        HasStatus = true,
        Scale = new ScalePaths("spec.replicas", "status.replicas", null),
    };

    private sealed class NoRules : ResourceStrategy;
}
