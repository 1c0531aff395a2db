using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Godwit.Qmp;

/// <summary>
/// A command as a value: what to say, how to read the answer, and how long to wait for it. <see cref="QmpCommands"/>
/// makes them; <see cref="QmpConnection.ExecuteAsync"/> carries them out.
/// </summary>
public sealed record QmpCommand<TReply>
{
    internal QmpCommand(string name, JsonTypeInfo<TReply> reply)
    {
        Name = name;
        Reply = reply;
    }

    public string Name { get; }

    /// <summary>Sent with <c>exec-oob</c>: answered by QEMU's monitor thread even while the main loop hangs. Few commands allow it.</summary>
    public bool OutOfBand { get; init; }

    /// <summary>From the call to the answer, waiting for a free place included.</summary>
    public TimeSpan Bound { get; init; } = TimeSpan.FromSeconds(10);

    internal JsonElement? Arguments { get; init; }

    private JsonTypeInfo<TReply> Reply { get; }

    /// <summary>The answer from its JSON.</summary>
    /// <exception cref="QmpProtocolException">It has another form.</exception>
    public TReply Read(JsonElement value)
    {
        try
        {
            return value.Deserialize(Reply) ?? throw new JsonException("the value is null");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or NotSupportedException)
        {
            throw new QmpProtocolException($"QEMU's answer to '{Name}' is not of the form that the protocol gives it", error);
        }
    }
}

internal static class QmpRequest
{
    /// <summary>The request as one line with its end.</summary>
    public static byte[] Encode<TReply>(QmpCommand<TReply> command, long id)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString(command.OutOfBand ? "exec-oob" : "execute", command.Name);
            json.WriteNumber("id", id);
            if (command.Arguments is { } arguments)
            {
                json.WritePropertyName("arguments");
                arguments.WriteTo(json);
            }

            json.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }
}
