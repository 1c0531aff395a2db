using System.Text;
using CsCheck;

namespace Godwit.Qmp.Tests;

/// <summary>Whatever a peer sends, the parser answers with a message or with its one typed error.</summary>
public sealed class QmpMessageTests
{
    private static readonly string[] Real =
    [
        ScriptedPeer.Greeting,
        """{"return": {"status": "running", "running": true}, "id": 1}""",
        """{"id": 7, "error": {"class": "CommandNotFound", "desc": "The command bogus has not been found"}}""",
        """{"timestamp": {"seconds": 1700000000, "microseconds": 1}, "event": "STOP"}""",
        """{"timestamp": {"seconds": -1, "microseconds": -1}, "event": "MIGRATION", "data": {"status": "setup"}}""",
    ];

    [Fact]
    public void Arbitrary_bytes_never_escape_the_typed_error() =>
        Gen.Byte.Array[0, 300].Sample(bytes => IsTotal(bytes));

    [Fact]
    public void Real_lines_with_bytes_flipped_cut_and_doubled_never_escape_the_typed_error() =>
        Gen.Select(Gen.Int[0, Real.Length - 1], Gen.Int[0, 200], Gen.Byte, Gen.Int[0, 2]).Sample(pick =>
        {
            var (index, at, value, kind) = pick;
            var bytes = Encoding.UTF8.GetBytes(Real[index]);
            at %= bytes.Length;
            byte[] changed = kind switch
            {
                0 => [.. bytes[..at], value, .. bytes[(at + 1)..]],
                1 => bytes[..at],
                _ => [.. bytes[..at], .. bytes[..at], .. bytes[at..]],
            };
            return IsTotal(changed);
        });

    [Fact]
    public void Json_of_every_shape_never_escapes_the_typed_error() =>
        Gen.Select(Member("return", "error", "event", "QMP"), Member("id", "data", "timestamp", "class"))
            .Sample(members => IsTotal(Encoding.UTF8.GetBytes("{" + members.Item1 + "," + members.Item2 + "}")));

    [Fact]
    public void Every_real_line_is_understood() =>
        Assert.All(Real, line => Assert.NotNull(QmpMessage.Parse(Encoding.UTF8.GetBytes(line))));

    [Fact]
    public void Impossible_timestamps_are_no_timestamps()
    {
        var line = """{"event": "STOP", "timestamp": {"seconds": 9223372036854775807, "microseconds": 0}}"""u8;
        Assert.Null(Assert.IsType<QmpMessage.Event>(QmpMessage.Parse(line)).At);
    }

    [Fact]
    public void Excerpt_of_a_hostile_line_is_short_and_printable()
    {
        var hostile = new byte[10_000];
        Array.Fill(hostile, (byte)0x1b);
        var error = Assert.Throws<QmpProtocolException>(() => QmpMessage.Parse(hostile));
        Assert.InRange(error.Message.Length, 1, 300);
        Assert.DoesNotContain('\u001b', error.Message);
    }

    private static readonly string[] Values =
    [
        "null", "1", "-1.5e300", "\"\\ud800\"", "\"x\"", "[]", "{}", "true", """{"class": 1, "desc": null}""",
        """{"version": {"qemu": {"major": -1}}}""", """{"seconds": 1}""",
    ];

    private static Gen<string> Member(params string[] names) =>
        Gen.Select(Gen.Int[0, names.Length - 1], Gen.Int[0, Values.Length - 1]).Select(pick => $"\"{names[pick.Item1]}\":{Values[pick.Item2]}");

    private static bool IsTotal(byte[] bytes)
    {
        try
        {
            return QmpMessage.Parse(bytes) is not null;
        }
        catch (QmpProtocolException)
        {
            return true;
        }
    }
}
