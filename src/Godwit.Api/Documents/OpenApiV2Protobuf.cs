using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Google.Protobuf;

namespace Godwit.Api.Documents;

/// <summary>
/// An OpenAPI version 2 document in protobuf: the same tree as the JSON, by the numbers of gnostic's
/// <c>openapiv2/OpenAPIv2.proto</c>. Only what our documents contain is written; anything else in one is an error of ours.
/// </summary>
internal static class OpenApiV2Protobuf
{
    public static byte[] Encode(JsonObject document) => Message(output =>
    {
        Text(output, 1, document["swagger"]);
        Nested(output, 2, info =>
        {
            Text(info, 1, document.At("info", "title"));
            Text(info, 2, document.At("info", "version"));
        });
        Nested(output, 8, paths =>
        {
            foreach (var (path, item) in document["paths"]!.AsObject())
            {
                Named(paths, 2, path, value => WritePathItem(value, item!.AsObject()));
            }
        });
        Nested(output, 9, definitions => WriteNamedSchemas(definitions, document["definitions"]!.AsObject()));
    });

    private static void WritePathItem(CodedOutputStream output, JsonObject item)
    {
        foreach (var (name, value) in item)
        {
            var number = name switch
            {
                "get" => 2,
                "put" => 3,
                "post" => 4,
                "delete" => 5,
                "patch" => 8,
                "parameters" => 9,
                _ => throw Unforeseen(name),
            };
            if (value is JsonArray parameters)
            {
                WriteParameters(output, number, parameters);
            }
            else
            {
                Nested(output, number, operation => WriteOperation(operation, value!.AsObject()));
            }
        }
    }

    private static void WriteOperation(CodedOutputStream output, JsonObject operation)
    {
        foreach (var (name, value) in operation)
        {
            switch (name)
            {
                case "operationId":
                    Text(output, 5, value);
                    break;
                case "produces":
                    Texts(output, 6, value);
                    break;
                case "consumes":
                    Texts(output, 7, value);
                    break;
                case "parameters":
                    WriteParameters(output, 8, value!.AsArray());
                    break;
                case "responses":
                    Nested(output, 9, responses => WriteResponses(responses, value!.AsObject()));
                    break;
                default:
                    WriteExtension(output, 13, name, value);
                    break;
            }
        }
    }

    private static void WriteResponses(CodedOutputStream output, JsonObject responses)
    {
        foreach (var (code, response) in responses)
        {
            Named(output, 1, code, value => Nested(value, 1, inner =>
            {
                Text(inner, 1, response.At("description"));
                Nested(inner, 2, item => Nested(item, 1, schema => WriteSchema(schema, response.ObjectAt("schema")!)));
            }));
        }
    }

    // ParametersItem{1: Parameter{1: BodyParameter | 2: NonBodyParameter{3: query | 4: path}}}
    private static void WriteParameters(CodedOutputStream output, int number, JsonArray parameters)
    {
        foreach (var parameter in parameters)
        {
            var place = parameter.TextAt("in");
            Nested(output, number, item => Nested(item, 1, inner =>
            {
                if (place == "body")
                {
                    Nested(inner, 1, body => WriteBodyParameter(body, parameter!.AsObject()));
                }
                else
                {
                    Nested(inner, 2, nonBody => Nested(nonBody, place == "path" ? 4 : 3, value => WriteParameter(value, parameter!.AsObject(), place == "path" ? 5 : 6)));
                }
            }));
        }
    }

    private static void WriteBodyParameter(CodedOutputStream output, JsonObject parameter)
    {
        Text(output, 2, parameter["name"]);
        Text(output, 3, parameter["in"]);
        Flag(output, 4, parameter["required"]);
        Nested(output, 5, schema => WriteSchema(schema, parameter["schema"]!.AsObject()));
    }

    private static void WriteParameter(CodedOutputStream output, JsonObject parameter, int typeNumber)
    {
        Flag(output, 1, parameter["required"]);
        Text(output, 2, parameter["in"]);
        Text(output, 3, parameter["description"]);
        Text(output, 4, parameter["name"]);
        Text(output, typeNumber, parameter["type"]);
    }

    private static void WriteNamedSchemas(CodedOutputStream output, JsonObject schemas)
    {
        foreach (var (name, schema) in schemas)
        {
            Named(output, 1, name, value => WriteSchema(value, schema!.AsObject()));
        }
    }

    private static void WriteSchema(CodedOutputStream output, JsonObject schema)
    {
        foreach (var (name, value) in schema)
        {
            switch (name)
            {
                case "$ref":
                    Text(output, 1, value);
                    break;
                case "format":
                    Text(output, 2, value);
                    break;
                case "description":
                    Text(output, 4, value);
                    break;
                case "default":
                    Nested(output, 5, any => Text(any, 2, value!.ToJsonString()));
                    break;
                case "required":
                    Texts(output, 19, value);
                    break;
                case "enum":
                    foreach (var word in value!.AsArray())
                    {
                        Nested(output, 20, any => Text(any, 2, word));
                    }

                    break;
                case "additionalProperties":
                    Nested(output, 21, item => Nested(item, 1, inner => WriteSchema(inner, value!.AsObject())));
                    break;
                case "type":
                    Nested(output, 22, item => Text(item, 1, value));
                    break;
                case "items":
                    Nested(output, 23, item => Nested(item, 1, inner => WriteSchema(inner, value!.AsObject())));
                    break;
                case "properties":
                    Nested(output, 25, properties => WriteNamedSchemas(properties, value!.AsObject()));
                    break;
                default:
                    WriteExtension(output, 31, name, value);
                    break;
            }
        }
    }

    /// <summary>Extensions are YAML texts; JSON is YAML.</summary>
    private static void WriteExtension(CodedOutputStream output, int number, string name, JsonNode? value)
    {
        if (!name.StartsWith("x-", StringComparison.Ordinal))
        {
            throw Unforeseen(name);
        }

        Named(output, number, name, any => Text(any, 2, value!.ToJsonString()));
    }

    private static void Named(CodedOutputStream output, int number, string name, Action<CodedOutputStream> value) => Nested(output, number, entry =>
    {
        Text(entry, 1, name);
        Nested(entry, 2, value);
    });

    private static void Nested(CodedOutputStream output, int number, Action<CodedOutputStream> write)
    {
        output.WriteTag(number, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(UnsafeByteOperations.UnsafeWrap(Message(write)));
    }

    private static byte[] Message(Action<CodedOutputStream> write)
    {
        using var stream = new MemoryStream();
        using (var output = new CodedOutputStream(stream, leaveOpen: true))
        {
            write(output);
        }

        return stream.ToArray();
    }

    private static void Texts(CodedOutputStream output, int number, JsonNode? values)
    {
        foreach (var value in values!.AsArray())
        {
            Text(output, number, value);
        }
    }

    private static void Text(CodedOutputStream output, int number, JsonNode? value)
    {
        if (JsonAccess.AsText(value) is { } text)
        {
            output.WriteTag(number, WireFormat.WireType.LengthDelimited);
            output.WriteString(text);
        }
    }

    private static void Flag(CodedOutputStream output, int number, JsonNode? value)
    {
        if (JsonAccess.AsBoolean(value) == true)
        {
            output.WriteTag(number, WireFormat.WireType.Varint);
            output.WriteBool(true);
        }
    }

    private static InvalidOperationException Unforeseen(string name) => new($"{name} in an OpenAPI document has no protobuf form here.");
}
