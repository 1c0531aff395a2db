using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Apply;
using Godwit.Api.Machinery.Patches;

namespace Godwit.Api.Tests.Kinds;

/// <summary>Whatever passes a kind's schema, its rules answer with errors by path and never with an exception.</summary>
public sealed class HostileObjectTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    public static TheoryData<string> Kinds { get; } = [.. BuiltInKinds.All.Select(Samples.KeyOf)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void No_object_makes_a_rule_a_default_or_a_column_throw(string kind)
    {
        var definition = BuiltInKinds.All.Single(found => Samples.KeyOf(found) == kind);
        var objects = RandomObject.Of(definition.Schema);
        Gen.Select(objects, objects).Sample(
            (existing, updated) =>
            {
                SchemaCheck.Run(definition.Schema, existing);
                if (SchemaCheck.Run(definition.Schema, updated) is { Errors.Count: > 0 })
                {
                    return; // Refused before any rule sees it.
                }

                definition.Strategy.PrepareForCreate(updated);
                definition.Strategy.ApplyDefaults(updated);
                var once = updated.ToJsonString();
                definition.Strategy.ApplyDefaults(updated);
                Assert.Equal(once, updated.ToJsonString());
                Assert.All(definition.Strategy.Validate(updated), error => Assert.NotNull(error.Path));
                Assert.All(MetadataRules.Validate(definition, updated), error => Assert.NotEmpty(error.Path));
                _ = definition.Strategy.ValidateUpdate(updated, updated.DeepClone().AsObject()).ToList();
                _ = definition.Strategy.Warnings(updated).ToList();
                _ = definition.Columns.Select(column => column.Cell(updated, Now)).ToList();
                _ = definition.SelectableFields.Values.Select(field => field(updated)).ToList();
            },
            iter: 60);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Any_two_objects_can_be_merged_applied_and_tracked(string kind)
    {
        var definition = BuiltInKinds.All.Single(found => Samples.KeyOf(found) == kind);
        var writer = new FieldWriter("tester", definition.ApiVersion, "", Now);
        var objects = RandomObject.Of(definition.Schema);
        Gen.Select(objects, objects).Sample(
            (live, other) =>
            {
                SchemaCheck.Run(definition.Schema, live, isPartial: true);
                SchemaCheck.Run(definition.Schema, other, isPartial: true);
                live["metadata"] = new JsonObject { ["name"] = "x" };
                other["metadata"] = new JsonObject { ["name"] = "x" };

                var applied = ServerSideApply.Apply(live, other, definition, writer, force: true);
                applied.Resource["metadata"]!["managedFields"] = applied.ManagedFields;
                var again = ServerSideApply.Apply(applied.Resource, other, definition, writer, force: true);
                Assert.True(JsonNode.DeepEquals(applied.ManagedFields, again.ManagedFields));
                _ = ServerSideApply.Track(applied.Resource, live, definition, writer);
                Assert.NotNull(TryMerge(live, other, definition.Schema));
            },
            iter: 40);
    }

    private static JsonObject? TryMerge(JsonObject target, JsonObject patch, ObjectSchema schema)
    {
        try
        {
            return StrategicMergePatch.Apply(target, patch, schema);
        }
        catch (PatchException)
        {
            return []; // Refused in words, such as an item without its merge key.
        }
    }
}
