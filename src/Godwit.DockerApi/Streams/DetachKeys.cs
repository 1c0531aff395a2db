using Godwit.DockerApi.Serving;

namespace Godwit.DockerApi.Streams;

/// <summary>
/// The keys that let a client go from a terminal and leave the program running. What could be the beginning of them is held
/// back until it is known not to be.
/// </summary>
internal sealed class DetachKeys
{
    public const int LengthMax = 16;

    /// <summary>Control-P, Control-Q.</summary>
    public const string Standard = "ctrl-p,ctrl-q";

    private readonly byte[] keys;
    private int matched;

    private DetachKeys(byte[] keys) => this.keys = keys;

    /// <summary>All of them were pressed.</summary>
    public bool IsComplete => matched == keys.Length;

    /// <summary>Reads a list such as <c>ctrl-p,ctrl-q</c> or <c>a,b</c>.</summary>
    /// <exception cref="DockerException">It is none.</exception>
    public static DetachKeys Parse(string? text)
    {
        var parts = (string.IsNullOrEmpty(text) ? Standard : text).Split(',');
        return parts.Length <= LengthMax
            ? new DetachKeys([.. parts.Select(Key)])
            : throw DockerException.Invalid($"detach keys are at most {LengthMax}, not {parts.Length}");
    }

    /// <summary>Copies what the program shall read; the end of it may be held back.</summary>
    /// <param name="pressed">What came.</param>
    /// <param name="passed">At least as long as that, and <see cref="LengthMax"/>.</param>
    /// <returns>Bytes to pass on.</returns>
    public int Pass(ReadOnlySpan<byte> pressed, Span<byte> passed)
    {
        var count = 0;
        foreach (var key in pressed)
        {
            while (matched > 0 && key != keys[matched])
            {
                count += Release(passed[count..]);
            }

            if (key != keys[matched])
            {
                passed[count++] = key;
            }
            else if (++matched == keys.Length)
            {
                break;
            }
        }

        return count;
    }

    /// <summary>Not the keys after all: what is held goes to the program, but for an end of it that may begin them anew.</summary>
    private int Release(Span<byte> passed)
    {
        var released = 1;
        while (!keys.AsSpan(released, matched - released).SequenceEqual(keys.AsSpan(0, matched - released)))
        {
            released++;
        }

        keys.AsSpan(0, released).CopyTo(passed);
        matched -= released;
        return released;
    }

    private static byte Key(string text) => text switch
    {
        [var one] when one < 128 => (byte)one,
        ['c', 't', 'r', 'l', '-', var letter] when letter is >= 'a' and <= 'z' => (byte)(letter - 'a' + 1),
        "ctrl-@" => 0,
        "ctrl-[" => 27,
        "ctrl-\\" => 28,
        "ctrl-]" => 29,
        "ctrl-^" => 30,
        "ctrl-_" => 31,
        _ => throw DockerException.Invalid($"invalid detach keys ({text}) provided"),
    };
}
