using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery;

/// <summary>
/// Reading JSON trees of unknown content without exceptions. A tree may hold parsed elements and values set by code side
/// by side; these readers take both.
/// </summary>
public static class JsonAccess
{
    /// <summary>The value at a path of fields, or null when any step is not there.</summary>
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            node = (node as JsonObject)?[name];
        }

        return node;
    }

    /// <summary>The text at a path, or null when there is none.</summary>
    public static string? TextAt(this JsonNode? node, params ReadOnlySpan<string> path) => AsText(At(node, path));

    public static JsonObject? ObjectAt(this JsonNode? node, params ReadOnlySpan<string> path) => At(node, path) as JsonObject;

    public static JsonArray? ArrayAt(this JsonNode? node, params ReadOnlySpan<string> path) => At(node, path) as JsonArray;

    public static string? AsText(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    public static bool? AsBoolean(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<bool>(out var flag) ? flag : null;

    /// <summary>A whole number, or null for anything else (a fraction too).</summary>
    public static long? AsInt64(JsonNode? node) => node switch
    {
        JsonValue value when value.TryGetValue<long>(out var wide) => wide,
        JsonValue value when value.TryGetValue<int>(out var narrow) => narrow,
        _ => null,
    };

    /// <summary>Any finite number.</summary>
    public static double? AsDouble(JsonNode? node) => node switch
    {
        JsonValue value when value.TryGetValue<double>(out var real) && double.IsFinite(real) => real,
        JsonValue value when value.TryGetValue<decimal>(out var exact) => (double)exact,
        _ => AsInt64(node),
    };

    /// <summary>The object under a name, made when it is not there or is no object.</summary>
    public static JsonObject GetOrAddObject(this JsonObject parent, string name)
    {
        if (parent[name] is JsonObject there)
        {
            return there;
        }

        var made = new JsonObject();
        parent[name] = made;
        return made;
    }

    /// <summary>How a bad value is shown in a message: bounded, quoted when it is text.</summary>
    public static string Show(JsonNode? node)
    {
        const int lengthMax = 100;
        var text = node?.GetValueKind() switch
        {
            null => "null",
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "a list",
            _ => node.ToJsonString(),
        };
        return text.Length <= lengthMax ? text : string.Create(CultureInfo.InvariantCulture, $"{text.AsSpan(0, lengthMax)}…");
    }
}
