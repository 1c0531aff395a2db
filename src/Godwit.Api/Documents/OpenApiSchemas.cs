using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Documents;

/// <summary>Shapes as OpenAPI writes them. The two versions differ in where definitions live and in values of several types.</summary>
internal sealed class OpenApiSchemas(bool isV3)
{
    public const string TypeExtension = "x-kubernetes-group-version-kind";

    private readonly SortedDictionary<string, JsonObject> definitions = new(StringComparer.Ordinal);

    public JsonObject Definitions => new(definitions.Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)entry.Value)));

    public static JsonObject TypeOf(string group, string version, string kind) => new() { ["group"] = group, ["kind"] = kind, ["version"] = version };

    /// <summary>A reference to a definition, which is added with what it refers to.</summary>
    public JsonObject Reference(ObjectSchema schema)
    {
        if (!definitions.ContainsKey(schema.Name))
        {
            definitions.Add(schema.Name, []);
            definitions[schema.Name] = Define(schema);
        }

        return ReferenceTo(schema.Name);
    }

    /// <summary>A kind's definition and that of its list, both marked with their types.</summary>
    public (JsonObject Item, JsonObject List) AddKind(ObjectSchema schema, string group, string version, string kind)
    {
        var item = Reference(schema);
        definitions[schema.Name][TypeExtension] = new JsonArray(TypeOf(group, version, kind));
        var listName = schema.Name + "List";
        definitions[listName] = new JsonObject
        {
            ["description"] = $"Objects of kind {kind}.",
            ["type"] = "object",
            ["required"] = new JsonArray("items"),
            ["properties"] = new JsonObject
            {
                ["apiVersion"] = Describe(new JsonObject { ["type"] = "string" }, "Group and version of the items."),
                ["kind"] = Describe(new JsonObject { ["type"] = "string" }, $"{kind}List."),
                ["metadata"] = Describe(Reference(MetaSchemas.ListMeta), "Bookkeeping."),
                ["items"] = Describe(new JsonObject { ["type"] = "array", ["items"] = ReferenceTo(schema.Name) }, "The objects."),
            },
            [TypeExtension] = new JsonArray(TypeOf(group, version, kind + "List")),
        };
        return (item, ReferenceTo(listName));
    }

    public JsonObject AddType(ObjectSchema schema, string group, string version, string kind)
    {
        var item = Reference(schema);
        definitions[schema.Name][TypeExtension] = new JsonArray(TypeOf(group, version, kind));
        return item;
    }

    private JsonObject ReferenceTo(string name) =>
        new() { ["$ref"] = (isV3 ? "#/components/schemas/" : "#/definitions/") + name };

    private JsonObject Define(ObjectSchema schema)
    {
        var definition = new JsonObject { ["description"] = schema.Description, ["type"] = "object" };
        if (schema.Fields.Any(field => field.IsRequired))
        {
            definition["required"] = schema.Fields.Where(field => field.IsRequired).Select(field => field.Name).ToJson();
        }

        if (schema.Fields.Count > 0)
        {
            definition["properties"] = new JsonObject(schema.Fields.OrderBy(field => field.Name, StringComparer.Ordinal)
                .Select(field => KeyValuePair.Create(field.Name, (JsonNode?)DescribeField(field))));
        }

        if (schema.IsAtomic)
        {
            definition["x-kubernetes-map-type"] = "atomic";
        }

        return definition;
    }

    private JsonObject DescribeField(SchemaField field)
    {
        var described = Describe(Write(field.Schema), field.Description);
        if (field.Default is not null)
        {
            described["default"] = JsonNode.Parse(field.Default);
        }

        if (field.PatchStrategy != PatchStrategies.None)
        {
            described["x-kubernetes-patch-strategy"] = string.Join(',', new[]
            {
                field.PatchStrategy.HasFlag(PatchStrategies.Merge) ? "merge" : "",
                field.PatchStrategy.HasFlag(PatchStrategies.RetainKeys) ? "retainKeys" : "",
            }.Where(word => word.Length > 0));
        }

        if (field.PatchMergeKey is not null)
        {
            described["x-kubernetes-patch-merge-key"] = field.PatchMergeKey;
        }

        return described;
    }

    /// <summary>In version 3 nothing may stand beside a reference, so a description wraps it.</summary>
    private JsonObject Describe(JsonObject schema, string description)
    {
        var result = isV3 && schema.ContainsKey("$ref") ? new JsonObject { ["allOf"] = new JsonArray(schema) } : schema;
        result.Insert(0, "description", description);
        return result;
    }

    private JsonObject Write(Schema schema)
    {
        switch (schema)
        {
            case ObjectSchema known:
                return Reference(known);
            case MapSchema map:
                var written = new JsonObject { ["type"] = "object", ["additionalProperties"] = Write(map.Values) };
                if (map.IsAtomic)
                {
                    written["x-kubernetes-map-type"] = "atomic";
                }

                return written;
            case ArraySchema list:
                return WriteList(list);
            case TextSchema { Words.Count: > 0 } words:
                return new JsonObject { ["type"] = "string", ["enum"] = words.Words.ToJson() };
            case IntegerSchema integer:
                return new JsonObject { ["type"] = "integer", ["format"] = integer.Bits == 32 ? "int32" : "int64" };
            case NumberSchema:
                return new JsonObject { ["type"] = "number", ["format"] = "double" };
            case BooleanSchema:
                return new JsonObject { ["type"] = "boolean" };
            case BytesSchema:
                return new JsonObject { ["type"] = "string", ["format"] = "byte" };
            case TimeSchema:
                return new JsonObject { ["type"] = "string", ["format"] = "date-time" };
            case QuantitySchema when isV3:
                return new JsonObject { ["oneOf"] = new JsonArray(new JsonObject { ["type"] = "string" }, new JsonObject { ["type"] = "number" }) };
            case IntOrTextSchema when isV3:
                return new JsonObject
                {
                    ["format"] = "int-or-string",
                    ["oneOf"] = new JsonArray(new JsonObject { ["type"] = "integer" }, new JsonObject { ["type"] = "string" }),
                };
            case IntOrTextSchema:
                return new JsonObject { ["type"] = "string", ["format"] = "int-or-string" };
            case FreeFormSchema:
                return new JsonObject { ["type"] = "object" };
            default:
                return new JsonObject { ["type"] = "string" };
        }
    }

    private JsonObject WriteList(ArraySchema list)
    {
        var written = new JsonObject { ["type"] = "array", ["items"] = Write(list.Items) };
        written["x-kubernetes-list-type"] = list.ListType switch
        {
            ListType.Map => "map",
            ListType.Set => "set",
            _ => "atomic",
        };
        if (list.ListType == ListType.Map)
        {
            written["x-kubernetes-list-map-keys"] = list.MapKeys.ToJson();
        }

        return written;
    }
}
