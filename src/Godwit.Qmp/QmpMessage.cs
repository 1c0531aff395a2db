using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Godwit.Qmp;

/// <summary>
/// One line from the peer, as QEMU's <c>docs/interop/qmp-spec</c> defines it: a greeting, a reply, an error or an event.
/// <see cref="Parse"/> is total: whatever the bytes, it returns a message or throws <see cref="QmpProtocolException"/>.
/// </summary>
internal abstract record QmpMessage
{
    /// <summary>Nesting allowed in a line; QEMU's deepest reply (a block graph) stays well below.</summary>
    public const int DepthMax = 32;

    /// <summary>Characters kept of a name or an explanation.</summary>
    public const int WordsMax = 2000;

    private static readonly JsonDocumentOptions Strict = new()
    {
        MaxDepth = DepthMax,
        AllowDuplicateProperties = false,
    };

    private QmpMessage()
    {
    }

    public sealed record Greeting(QmpGreeting Value) : QmpMessage;

    public sealed record Reply(long Id, JsonElement Value) : QmpMessage;

    /// <summary>Id is null when QEMU could not even read the request.</summary>
    public sealed record Error(long? Id, string ErrorClass, string Description) : QmpMessage;

    public sealed record Event(string Name, DateTimeOffset? At, JsonElement? Data) : QmpMessage;

    public static QmpMessage Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            var root = JsonElement.Parse(line, Strict);
            return root.ValueKind == JsonValueKind.Object ? Classify(root) : throw Malformed("not an object", line, null);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or KeyNotFoundException or OverflowException)
        {
            // InvalidOperationException: a value of another type than the protocol's, or a string that is no Unicode.
            throw Malformed("malformed", line, error);
        }
    }

    private static QmpMessage Classify(JsonElement root)
    {
        if (root.TryGetProperty("return", out var value))
        {
            return new Reply(ReadId(root) ?? throw new FormatException("a reply without the id of its command"), value);
        }

        if (root.TryGetProperty("error", out var error))
        {
            return new Error(ReadId(root), Shorten(ReadString(error, "class")), Shorten(ReadString(error, "desc")));
        }

        if (root.TryGetProperty("event", out var name))
        {
            JsonElement? data = root.TryGetProperty("data", out var found) ? found : null;
            return new Event(Shorten(name.GetString() ?? throw new FormatException("an event without a name")), ReadTimestamp(root), data);
        }

        if (root.TryGetProperty("QMP", out var greeting))
        {
            return new Greeting(ReadGreeting(greeting));
        }

        throw new FormatException("neither reply, error, event nor greeting");
    }

    private static long? ReadId(JsonElement root) => root.TryGetProperty("id", out var id) ? id.GetInt64() : null;

    private static string ReadString(JsonElement parent, string name) =>
        parent.GetProperty(name).GetString() ?? throw new FormatException($"'{name}' is null");

    /// <summary>QEMU's words go into errors and logs, which have their bounds.</summary>
    private static string Shorten(string words) => words.Length <= WordsMax ? words : string.Concat(words.AsSpan(0, WordsMax), "…");

    private static DateTimeOffset? ReadTimestamp(JsonElement root)
    {
        if (!root.TryGetProperty("timestamp", out var timestamp))
        {
            return null;
        }

        var seconds = timestamp.GetProperty("seconds").GetInt64();
        var microseconds = timestamp.GetProperty("microseconds").GetInt64();

        // QEMU says -1 when it could not read its clock; the far future is a lie that would overflow.
        return seconds is < 0 or > 253_402_300_799 || microseconds is < 0 or > 999_999
            ? null
            : DateTimeOffset.FromUnixTimeSeconds(seconds).AddMicroseconds(microseconds);
    }

    private static QmpGreeting ReadGreeting(JsonElement greeting)
    {
        var version = greeting.GetProperty("version");
        var qemu = version.GetProperty("qemu");
        var outOfBand = false;
        foreach (var capability in greeting.GetProperty("capabilities").EnumerateArray())
        {
            outOfBand |= capability.GetString() == "oob";
        }

        return new QmpGreeting(
            new Version(qemu.GetProperty("major").GetUInt16(), qemu.GetProperty("minor").GetUInt16(), qemu.GetProperty("micro").GetUInt16()),
            version.TryGetProperty("package", out var package) ? package.GetString() ?? "" : "",
            outOfBand);
    }

    private static QmpProtocolException Malformed(string what, ReadOnlySpan<byte> line, Exception? cause) =>
        new($"The QMP peer sent a line of {line.Length.ToString(CultureInfo.InvariantCulture)} bytes that is {what}: {Excerpt(line)}", cause);

    /// <summary>The start of a hostile line, fit for a log: printable ASCII only, and short.</summary>
    private static string Excerpt(ReadOnlySpan<byte> line)
    {
        const int bytesMax = 80;
        var excerpt = new StringBuilder("«");
        foreach (var b in line[..Math.Min(line.Length, bytesMax)])
        {
            excerpt.Append(b is >= 0x20 and < 0x7f ? (char)b : '·');
        }

        return excerpt.Append(line.Length > bytesMax ? "…»" : "»").ToString();
    }
}

/// <summary>What QEMU says of itself when a client connects.</summary>
public sealed record QmpGreeting(Version Version, string Package, bool OutOfBand);
