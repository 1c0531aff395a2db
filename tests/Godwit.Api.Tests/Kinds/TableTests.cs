using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.Api.Tests.Kinds;

/// <summary>What people see of each kind, word for word.</summary>
public sealed class TableTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    private static IEnumerable<ResourceDefinition> All => BuiltInKinds.All.Concat(BuiltInKinds.Measured);

    public static TheoryData<string> Kinds { get; } = [.. All.Select(Samples.KeyOf)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Each_kind_is_printed_as_kept(string kind)
    {
        var definition = All.Single(found => Samples.KeyOf(found) == kind);
        Assert.True(Samples.ByKind.TryGetValue(kind, out var samples), $"{kind} has no sample: add one to Samples.");
        var objects = samples.Select(Read).ToList();
        Assert.All(objects, sample => Assert.True(SchemaCheck.Run(definition.Schema, sample, isPartial: true).AreNone, sample.ToJsonString()));

        Golden.CheckText($"tables/{(definition.IsMeasured ? definition.Kind.ToLowerInvariant() : definition.Conversion is not null ? $"{definition.Plural}.{definition.Version}" : definition.Plural)}.txt", $"kubectl get\n{Print(definition, objects, isWide: false)}\nkubectl get -o wide\n{Print(definition, objects, isWide: true)}");
    }

    private static JsonObject Read(string sample)
    {
        var read = JsonNode.Parse(sample)!.AsObject();
        read["metadata"]!["creationTimestamp"] = "2026-01-29T12:00:00Z";
        return read;
    }

    private static string Print(ResourceDefinition definition, List<JsonObject> objects, bool isWide)
    {
        var columns = definition.Columns.Where(column => isWide || column.Priority == 0).ToList();
        var rows = new List<List<string>> { columns.ConvertAll(column => column.Name.ToUpperInvariant()) };
        rows.AddRange(objects.Select(resource => columns.ConvertAll(column => Text(column.Cell(resource, Now)))));
        if (definition.NameColumnFirst)
        {
            rows[0].Insert(0, "NAME");
            for (var index = 0; index < objects.Count; index++)
            {
                rows[index + 1].Insert(0, objects[index].TextAt("metadata", "name")!);
            }
        }

        var widths = Enumerable.Range(0, rows[0].Count).Select(column => rows.Max(row => row[column].Length) + 3).ToList();
        var text = new StringBuilder();
        foreach (var row in rows)
        {
            text.Append(string.Concat(row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd()).Append('\n');
        }

        return text.ToString();
    }

    private static string Text(JsonNode? cell) => cell is null ? "" : JsonAccess.AsText(cell) ?? cell.ToJsonString();
}
