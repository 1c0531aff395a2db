using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;

namespace Godwit.Api.Machinery.Protobuf;

/// <summary>
/// Reads one message by its schema. Depth is bounded because schemas do not refer to themselves, size by the body, and
/// the number of values by <see cref="ProtobufBody.ValuesMax"/>.
/// </summary>
internal sealed class MessageReader
{
    private int values;

    public void ReadInto(JsonObject target, byte[] message, ObjectSchema schema)
    {
        var input = new CodedInputStream(message);
        while (input.ReadTag() is var tag && tag != 0)
        {
            var number = WireFormat.GetTagFieldNumber(tag);
            if (schema.FindByNumber(number) is not { } field)
            {
                if (schema.FindEmbedded(number) is { } embedded)
                {
                    ReadInto(target, ProtobufBody.ReadDelimited(input, tag), embedded);
                }
                else
                {
                    input.SkipLastField();
                }

                continue;
            }

            Count(field.Name);
            switch (field.Schema)
            {
                case ArraySchema list:
                    (target[field.Name] as JsonArray ?? Add(target, field.Name, new JsonArray())).Add(ReadItem(input, tag, list.Items));
                    break;
                case MapSchema map:
                    ReadEntry(target[field.Name] as JsonObject ?? Add(target, field.Name, new JsonObject()), ProtobufBody.ReadDelimited(input, tag), map.Values);
                    break;
                default:
                    if (ReadValue(input, tag, field.Schema, field.ZeroMatters) is { } value)
                    {
                        target[field.Name] = value;
                    }

                    break;
            }
        }
    }

    /// <summary>An item of a list is there even when it is empty.</summary>
    private JsonNode ReadItem(CodedInputStream input, uint tag, Schema schema) =>
        ReadValue(input, tag, schema, zeroMatters: true)
            ?? (schema is ObjectSchema ? new JsonObject() : JsonValue.Create(""));

    private void ReadEntry(JsonObject target, byte[] entry, Schema values)
    {
        var (input, key, value) = (new CodedInputStream(entry), "", (JsonNode?)null);
        while (input.ReadTag() is var tag && tag != 0)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 1:
                    key = ProtobufBody.ReadText(input, tag);
                    break;
                case 2 when values is ArraySchema list:
                    value = ReadList(ProtobufBody.ReadDelimited(input, tag), list.Items);
                    break;
                case 2:
                    value = ReadItem(input, tag, values);
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        target[key] = value ?? (values is ArraySchema ? new JsonArray() : values is ObjectSchema ? new JsonObject() : "");
    }

    /// <summary>A list that is a map's value is a message of its own, its items under number 1.</summary>
    private JsonArray ReadList(byte[] message, Schema items)
    {
        var (input, list) = (new CodedInputStream(message), new JsonArray());
        while (input.ReadTag() is var tag && tag != 0)
        {
            if (WireFormat.GetTagFieldNumber(tag) == 1)
            {
                Count("items");
                list.Add(ReadItem(input, tag, items));
            }
            else
            {
                input.SkipLastField();
            }
        }

        return list;
    }

    /// <summary>One value, or null when it is what protobuf writes for absence.</summary>
    private JsonNode? ReadValue(CodedInputStream input, uint tag, Schema schema, bool zeroMatters)
    {
        switch (schema)
        {
            case ObjectSchema known:
                var inner = new JsonObject();
                ReadInto(inner, ProtobufBody.ReadDelimited(input, tag), known);
                return inner.Count > 0 ? inner : null;
            case TextSchema:
                return ProtobufBody.ReadText(input, tag) is { Length: > 0 } text ? JsonValue.Create(text) : null;
            case BytesSchema:
                return ProtobufBody.ReadDelimited(input, tag) is { Length: > 0 } bytes ? JsonValue.Create(Convert.ToBase64String(bytes)) : null;
            case BooleanSchema:
                return ProtobufBody.ReadVarint(input, tag) != 0 ? JsonValue.Create(true) : null;
            case IntegerSchema integer:
                return ProtobufBody.ReadVarint(input, tag) is var number && (number != 0 || zeroMatters) ? JsonValue.Create(Within(number, integer)) : null;
            case TimeSchema time:
                return ReadTime(ProtobufBody.ReadDelimited(input, tag), time.Micro);
            case QuantitySchema:
                return ReadQuantity(ProtobufBody.ReadDelimited(input, tag));
            case IntOrTextSchema:
                return ReadIntOrText(ProtobufBody.ReadDelimited(input, tag));
            case FreeFormSchema:
                return ReadJson(ProtobufBody.ReadDelimited(input, tag));
            default:
                throw new FormatException($"a {schema.GetType().Name} has no protobuf form");
        }
    }

    /// <summary>JSON as bytes under number 1: what <c>FieldsV1</c> and <c>RawExtension</c> both are.</summary>
    private static JsonNode? ReadJson(byte[] message)
    {
        var (input, json) = (new CodedInputStream(message), Array.Empty<byte>());
        while (input.ReadTag() is var tag && tag != 0)
        {
            if (WireFormat.GetTagFieldNumber(tag) == 1)
            {
                json = ProtobufBody.ReadDelimited(input, tag);
            }
            else
            {
                input.SkipLastField();
            }
        }

        try
        {
            return json.Length == 0 ? null : JsonNode.Parse(json);
        }
        catch (JsonException error)
        {
            throw new FormatException("a value that is to hold JSON holds something else", error);
        }
    }

    private static long Within(long number, IntegerSchema schema) =>
        number >= schema.Min && number <= schema.Max ? number : throw new FormatException($"{number} does not fit in {schema.Bits} bits");

    private static JsonValue? ReadTime(byte[] message, bool micro)
    {
        if (message.Length == 0)
        {
            return null;
        }

        var (input, seconds, nanos) = (new CodedInputStream(message), 0L, 0L);
        while (input.ReadTag() is var tag && tag != 0)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 1:
                    seconds = ProtobufBody.ReadVarint(input, tag);
                    break;
                case 2:
                    nanos = ProtobufBody.ReadVarint(input, tag);
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        if (seconds < DateTimeOffset.MinValue.ToUnixTimeSeconds() || seconds > DateTimeOffset.MaxValue.ToUnixTimeSeconds() || nanos is < 0 or > 999_999_999)
        {
            throw new FormatException($"{seconds} seconds and {nanos} nanoseconds are no time");
        }

        var time = DateTimeOffset.FromUnixTimeSeconds(seconds).AddTicks(nanos / 100);
        return JsonValue.Create(time.UtcDateTime.ToString(micro ? MicroTimeJsonConverter.Format : TimeJsonConverter.Format, CultureInfo.InvariantCulture));
    }

    private static JsonValue? ReadQuantity(byte[] message)
    {
        var (input, text) = (new CodedInputStream(message), "");
        while (input.ReadTag() is var tag && tag != 0)
        {
            if (WireFormat.GetTagFieldNumber(tag) == 1)
            {
                text = ProtobufBody.ReadText(input, tag);
            }
            else
            {
                input.SkipLastField();
            }
        }

        return text.Length > 0 ? JsonValue.Create(text) : null;
    }

    private static JsonValue ReadIntOrText(byte[] message)
    {
        var (input, type, number, text) = (new CodedInputStream(message), 0L, 0L, "");
        while (input.ReadTag() is var tag && tag != 0)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 1:
                    type = ProtobufBody.ReadVarint(input, tag);
                    break;
                case 2:
                    number = ProtobufBody.ReadVarint(input, tag);
                    break;
                case 3:
                    text = ProtobufBody.ReadText(input, tag);
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        return type == 0 ? JsonValue.Create(number) : JsonValue.Create(text);
    }

    private void Count(string field)
    {
        if (++values > ProtobufBody.ValuesMax)
        {
            throw new FormatException($"the object holds more than {ProtobufBody.ValuesMax} values, the last under {field}");
        }
    }

    private static T Add<T>(JsonObject target, string name, T value)
        where T : JsonNode
    {
        target[name] = value;
        return value;
    }
}
