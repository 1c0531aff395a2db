using System.Collections.Frozen;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds;

internal static class Fields
{
    /// <summary>Selectable fields that are texts at a path; an absent one selects as the empty text.</summary>
    public static IReadOnlyDictionary<string, Func<JsonObject, string>> Of(params (string Label, string[] Path)[] fields) =>
        fields.ToFrozenDictionary(
            field => field.Label,
            field => (Func<JsonObject, string>)(resource => resource.TextAt(field.Path) ?? ""),
            StringComparer.Ordinal);
}
