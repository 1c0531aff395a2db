using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.ApiServer.Tests;

/// <summary>The kinds of a real server, and a Widget without rules of its own that has everything the machinery offers.</summary>
internal static class TestKinds
{
    public static ResourceRegistry Registry { get; } = new([.. BuiltInKinds.All, Widget()]);

    private static ResourceDefinition Widget() => new()
    {
        Group = "godwit.dev",
        Version = "v1alpha1",
        Kind = "Widget",
        Plural = "widgets",
        Singular = "widget",
        Namespaced = true,
        Schema = new ObjectSchema(
            "test.Widget",
            "A kind for tests.",
            new SchemaField("apiVersion", Schema.Text, ""),
            new SchemaField("kind", Schema.Text, ""),
            BuiltInKinds.All[0].Schema.Find("metadata")!,
            new SchemaField("spec", new ObjectSchema("test.WidgetSpec", "", [new SchemaField("size", Schema.Integer32, ""), new SchemaField("replicas", Schema.Integer32, "")]), ""),
            new SchemaField("status", new ObjectSchema("test.WidgetStatus", "", [new SchemaField("phase", Schema.Text, ""), new SchemaField("replicas", Schema.Integer32, ""), new SchemaField("selector", Schema.Text, "")]), "")),
        Strategy = new NoRules(),
        Columns = [Columns.Text("Phase", "How it is.", "status", "phase"), Columns.WideText("Size", "How large it is.", "spec", "size"), Columns.Age()],
        HasStatus = true,
        Scale = new ScalePaths("spec.replicas", "status.replicas", "status.selector"),
    };

    private sealed class NoRules : ResourceStrategy;
}
