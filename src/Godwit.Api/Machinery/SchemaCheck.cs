using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Base;

namespace Godwit.Api.Machinery;

/// <summary>What does not fit: paths of unknown fields (dropped from the object) and everything of the wrong shape.</summary>
public sealed record SchemaFindings(IReadOnlyList<string> UnknownFields, IReadOnlyList<FieldError> Errors)
{
    public bool AreNone => UnknownFields.Count == 0 && Errors.Count == 0;
}

/// <summary>
/// Holds an object to its schema, in place: fields that the schema does not know are reported and dropped, nulls are
/// dropped (null and absence mean the same), values of a wrong type and missing required fields are errors; but a required
/// number whose zero is a value is zero when it is missing.
/// </summary>
public static class SchemaCheck
{
    /// <summary>At most this many findings of each sort are told.</summary>
    public const int FindingsMax = 100;

    /// <param name="schema">The shape.</param>
    /// <param name="value">The object, which loses what the schema does not know.</param>
    /// <param name="isPartial">True for a part of an object, to be laid over the rest: only what tells items of lists apart is required.</param>
    public static SchemaFindings Run(ObjectSchema schema, JsonObject value, bool isPartial = false)
    {
        var walk = new Walk(isPartial);
        walk.CheckObject(schema, value);
        return walk.Findings;
    }

    private sealed class Walk(bool isPartial)
    {
        private static readonly SchemaFindings None = new([], []);

        private readonly List<(string? Name, int Index)> path = [];
        private List<string>? unknown;
        private List<FieldError>? errors;

        public SchemaFindings Findings => unknown is null && errors is null ? None : new(unknown ?? [], errors ?? []);

        public void CheckObject(ObjectSchema schema, JsonObject value)
        {
            List<string>? dropped = null;
            foreach (var (name, item) in value)
            {
                var field = schema.Find(name);
                if (field is null)
                {
                    AddUnknown(name);
                }
                else if (item is not null)
                {
                    path.Add((name, 0));
                    Check(field.Schema, item);
                    path.RemoveAt(path.Count - 1);
                    continue;
                }

                (dropped ??= []).Add(name);
            }

            dropped?.ForEach(name => value.Remove(name));
            foreach (var field in schema.Fields)
            {
                if (!field.IsRequired || isPartial || value.ContainsKey(field.Name))
                {
                    continue;
                }

                if (field.ZeroMatters)
                {
                    value[field.Name] = 0; // Nothing counted yet, and a patch from nothing to zero has nothing to say.
                }
                else
                {
                    AddMissing(field);
                }
            }
        }

        private void Check(Schema schema, JsonNode value)
        {
            switch (schema)
            {
                case ObjectSchema known when value is JsonObject inner:
                    CheckObject(known, inner);
                    break;
                case MapSchema map when value is JsonObject inner:
                    CheckMap(map, inner);
                    break;
                case ArraySchema list when value is JsonArray inner:
                    CheckArray(list, inner);
                    break;
                case TextSchema { Words.Count: > 0 } words when JsonAccess.AsText(value) is { } text:
                    // An empty word is an absent one, as in Kubernetes.
                    if (text.Length > 0 && !words.Words.Contains(text))
                    {
                        Add(FieldErrorKind.NotSupported, $"supported values: {string.Join(", ", words.Words.Select(word => $"\"{word}\""))}", value);
                    }

                    break;
                default:
                    if (Mismatch(schema, value) is { } expected)
                    {
                        Add(FieldErrorKind.TypeInvalid, $"must be {expected}", value);
                    }

                    break;
            }
        }

        private void CheckMap(MapSchema schema, JsonObject value)
        {
            List<string>? dropped = null;
            foreach (var (name, item) in value)
            {
                if (item is null)
                {
                    (dropped ??= []).Add(name);
                    continue;
                }

                path.Add((name, 0));
                Check(schema.Values, item);
                path.RemoveAt(path.Count - 1);
            }

            dropped?.ForEach(name => value.Remove(name));
        }

        private void CheckArray(ArraySchema schema, JsonArray value)
        {
            HashSet<string>? keys = schema.ListType == ListType.Atomic || value.Count < 2 ? null : new(StringComparer.Ordinal);
            for (var index = 0; index < value.Count; index++)
            {
                path.Add((null, index));
                if (value[index] is { } item)
                {
                    Check(schema.Items, item);
                    CheckMapKeys(schema, item);
                    if (keys is not null && !keys.Add(KeyOf(schema, item)))
                    {
                        Add(FieldErrorKind.Duplicate, "", schema.ListType == ListType.Set ? item : item.At(schema.MapKeys[0]));
                    }
                }
                else
                {
                    Add(FieldErrorKind.TypeInvalid, "must not be null", null);
                }

                path.RemoveAt(path.Count - 1);
            }
        }

        private void CheckMapKeys(ArraySchema schema, JsonNode item)
        {
            foreach (var key in isPartial && schema.ListType == ListType.Map ? schema.MapKeys : [])
            {
                if (item.At(key) is null && (schema.Items as ObjectSchema)?.Find(key) is { Default: null } field)
                {
                    AddMissing(field);
                }
            }
        }

        private void AddMissing(SchemaField field)
        {
            path.Add((field.Name, 0));
            Add(FieldErrorKind.Required, field.Description, null);
            path.RemoveAt(path.Count - 1);
        }

        private static string KeyOf(ArraySchema schema, JsonNode item) =>
            schema.ListType == ListType.Set ? item.ToJsonString()
            : schema.MapKeys.Count == 1 ? item.At(schema.MapKeys[0])?.ToJsonString() ?? ""
            : string.Join('\n', schema.MapKeys.Select(key => item.At(key)?.ToJsonString() ?? ""));

        /// <summary>What was expected, or null when the value fits.</summary>
        private static string? Mismatch(Schema schema, JsonNode value) => schema switch
        {
            TextSchema => value.GetValueKind() == JsonValueKind.String ? null : "a string",
            BooleanSchema => JsonAccess.AsBoolean(value) is not null ? null : "true or false",
            IntegerSchema integer => JsonAccess.AsInt64(value) is { } whole && whole >= integer.Min && whole <= integer.Max
                ? null
                : $"a whole number of {integer.Bits} bits",
            NumberSchema => JsonAccess.AsDouble(value) is not null ? null : "a number",
            BytesSchema => JsonAccess.AsText(value) is { } text && Base64.IsValid(text) ? null : "base64",
            TimeSchema => JsonAccess.AsText(value) is { } text && Rfc3339.TryParse(text, out _) ? null : "a time such as 2026-01-31T12:00:00Z",
            QuantitySchema => IsQuantity(value) ? null : "a quantity: a number with an optional suffix such as m, k, M, G, Ki, Mi, Gi or e3",
            IntOrTextSchema => JsonAccess.AsInt64(value) is not null || value.GetValueKind() == JsonValueKind.String ? null : "a whole number or a string",
            FreeFormSchema => null,
            ArraySchema => "a list",
            _ => "an object",
        };

        private static bool IsQuantity(JsonNode value) =>
            JsonAccess.AsText(value) is { } text ? Quantity.TryParse(text, out _)
            : value.GetValueKind() == JsonValueKind.Number && Quantity.TryParse(value.ToJsonString(), out _);

        private void AddUnknown(string name)
        {
            if ((unknown ??= []).Count < FindingsMax)
            {
                path.Add((name, 0));
                unknown.Add(PathText());
                path.RemoveAt(path.Count - 1);
            }
        }

        private void Add(FieldErrorKind kind, string detail, JsonNode? badValue)
        {
            if ((errors ??= []).Count < FindingsMax)
            {
                errors.Add(new FieldError(kind, PathText(), detail, badValue?.DeepClone()));
            }
        }

        private string PathText()
        {
            var text = new StringBuilder();
            foreach (var (name, index) in path)
            {
                if (name is null)
                {
                    text.Append(CultureInfo.InvariantCulture, $"[{index}]");
                }
                else
                {
                    text.Append(text.Length == 0 ? "" : ".").Append(name);
                }
            }

            return text.ToString();
        }
    }
}
