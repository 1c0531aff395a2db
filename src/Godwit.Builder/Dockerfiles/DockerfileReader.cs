using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Godwit.Builder.Dockerfiles;

/// <summary>
/// Splits a Dockerfile into instructions. Source: the Dockerfile reference. In this order:
/// <code>
///   # escape=`          directives: first lines only, until anything else comes
///   RUN a \             a line that ends with the escape character goes on; comments and empty lines between are skipped
///       b &lt;&lt;EOF
///   …                   here-documents of the joined line, until their names
///   EOF
/// </code>
/// </summary>
public static partial class DockerfileReader
{
    /// <summary>The longest Dockerfile that is read, in characters.</summary>
    public const int LengthMax = 4 << 20;

    private const int InstructionsMax = 10_000;
    private const int DocumentsMax = 64;
    private static readonly HashSet<string> Known = new(StringComparer.Ordinal)
    {
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    };

    private static readonly HashSet<string> WithArray = new(StringComparer.Ordinal) { "ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME" };
    private static readonly HashSet<string> WithFlags = new(StringComparer.Ordinal) { "ADD", "COPY", "FROM", "HEALTHCHECK", "RUN" };

    /// <exception cref="BuildException">It is no Dockerfile; says on which line and why.</exception>
    public static DockerfileText Read(string text)
    {
        if (text.Length > LengthMax)
        {
            throw new BuildException($"The Dockerfile has {text.Length} characters; at most {LengthMax} are read.");
        }

        var lines = text.TrimStart('\ufeff').Split('\n').Select(line => line.TrimEnd('\r')).ToArray();
        var (escape, at) = ReadDirectives(lines);
        var instructions = new List<Instruction>();
        while (at < lines.Length)
        {
            if (IsSkipped(lines[at]))
            {
                at++;
                continue;
            }

            if (instructions.Count >= InstructionsMax)
            {
                throw new BuildException($"there are more than {InstructionsMax} instructions", at + 1);
            }

            var first = at;
            var joined = Join(lines, ref at, escape);
            var instruction = Parse(joined, first + 1);
            instructions.Add(instruction with { Documents = ReadDocuments(instruction, lines, ref at) });
        }

        return instructions.Count > 0 ? new DockerfileText(escape, instructions) : throw new BuildException("file with no instructions");
    }

    /// <summary>One instruction that stands by itself: what ONBUILD keeps.</summary>
    public static Instruction ReadOne(string text, int line) => Parse(text.ReplaceLineEndings(" "), line);

    private static (char Escape, int Next) ReadDirectives(string[] lines)
    {
        var escape = '\\';
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var at = 0;
        for (; at < lines.Length && Directive().Match(lines[at]) is { Success: true } match; at++)
        {
            var name = match.Groups["name"].Value.ToLowerInvariant();
            if (name is not ("escape" or "syntax" or "check"))
            {
                break; // A comment like any other; and none after it is a directive.
            }

            if (!seen.Add(name))
            {
                throw new BuildException($"only one {name} parser directive can be used", at + 1);
            }

            if (name == "escape")
            {
                escape = match.Groups["value"].Value is "\\" or "`" ? match.Groups["value"].Value[0] : throw new BuildException($"invalid escape token '{Cut(match.Groups["value"].Value)}': it is \\ or `", at + 1);
            }
        }

        return (escape, at);
    }

    private static bool IsSkipped(string line) => line.AsSpan().Trim() is var trimmed && (trimmed.IsEmpty || trimmed[0] == '#');

    private static string Join(string[] lines, ref int at, char escape)
    {
        var joined = new StringBuilder();
        while (at < lines.Length)
        {
            var line = lines[at++];
            if (joined.Length > 0 && IsSkipped(line))
            {
                continue;
            }

            var end = line.AsSpan().TrimEnd();
            // Twice the escape character is that character, and no continuation.
            if (end.Length == 0 || end[^1] != escape || (end.Length > 1 && end[^2] == escape && escape == '\\' && EndsEvenly(end, escape)))
            {
                joined.Append(joined.Length == 0 ? line.TrimStart() : line);
                break;
            }

            joined.Append(joined.Length == 0 ? end[..^1].TrimStart() : end[..^1]);
        }

        return joined.ToString();
    }

    private static bool EndsEvenly(ReadOnlySpan<char> text, char escape)
    {
        var count = 0;
        while (count < text.Length && text[^(count + 1)] == escape)
        {
            count++;
        }

        return count % 2 == 0;
    }

    private static Instruction Parse(string line, int number)
    {
        var (word, rest) = SplitWord(line);
        var name = word.ToUpperInvariant();
        if (!Known.Contains(name))
        {
            throw new BuildException($"unknown instruction: {Cut(word)}", number);
        }

        var flags = new List<InstructionFlag>();
        if (WithFlags.Contains(name))
        {
            while (rest.StartsWith("--", StringComparison.Ordinal))
            {
                var (flag, after) = SplitWord(rest);
                if (flag == "--")
                {
                    rest = after;
                    break;
                }

                var equals = flag.IndexOf('=', StringComparison.Ordinal);
                flags.Add(equals < 0 ? new InstructionFlag(flag[2..], null) : new InstructionFlag(flag[2..equals], flag[(equals + 1)..]));
                rest = after;
            }
        }

        return new Instruction { Name = name, Flags = flags, Arguments = rest, Array = WithArray.Contains(name) ? ReadArray(rest) : null, Line = number };
    }

    private static (string Word, string After) SplitWord(string text)
    {
        text = text.Trim();
        var blank = text.AsSpan().IndexOfAny(' ', '\t');
        return blank < 0 ? (text, "") : (text[..blank], text[blank..].Trim());
    }

    /// <summary>Null where it is no JSON array of strings: then it is words, as the reference has it, and no error.</summary>
    private static string[]? ReadArray(string text)
    {
        if (!text.StartsWith('['))
        {
            return null;
        }

        try
        {
            var array = JsonSerializer.Deserialize(text, DockerfileJson.Default.StringArray);
            return array is null || array.Contains(null) ? null : array;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static List<HereDocument> ReadDocuments(Instruction instruction, string[] lines, ref int at)
    {
        var found = new List<HereDocument>();
        if (instruction.Array is not null || !Begins(instruction))
        {
            return found;
        }

        foreach (Match start in HereStart().Matches(OutsideQuotes(instruction.Arguments)))
        {
            if (found.Count >= DocumentsMax)
            {
                throw new BuildException($"one instruction has more than {DocumentsMax} here-documents", instruction.Line);
            }

            found.Add(ReadDocument(instruction.Arguments[start.Index..(start.Index + start.Length)], lines, ref at, instruction.Line));
        }

        return found;
    }

    private static bool Begins(Instruction instruction) => instruction.Name is "RUN" or "COPY" or "ADD"
        || (instruction.Name == "ONBUILD" && SplitWord(instruction.Arguments).Word.ToUpperInvariant() is "RUN" or "COPY" or "ADD");

    private static HereDocument ReadDocument(string start, string[] lines, ref int at, int number)
    {
        var match = HereStart().Match(start);
        var chomps = match.Groups["dash"].Length > 0;
        var quoted = match.Groups["quoted"];
        var name = quoted.Success ? quoted.Value : match.Groups["name"].Value;
        var contents = new StringBuilder();
        while (at < lines.Length)
        {
            var line = chomps ? lines[at].TrimStart('\t') : lines[at];
            at++;
            if (line == name)
            {
                return new HereDocument(name, contents.ToString(), !quoted.Success);
            }

            contents.Append(line).Append('\n');
        }

        throw new BuildException($"unterminated heredoc: no line is {Cut(name)} alone", number);
    }

    /// <summary>The same text, with what stands in quotes blanked out, except the quotes of a here-document's own name.</summary>
    private static string OutsideQuotes(string text)
    {
        var shown = text.ToCharArray();
        char? quote = null;
        for (var at = 0; at < text.Length; at++)
        {
            var letter = text[at];
            if (quote is null && letter is ('\'' or '"'))
            {
                var isNames = at >= 2 && (text[(at - 2)..at] is "<<" or "<-");
                at = isNames && text.IndexOf(letter, at + 1) is > 0 and var end ? end : at;
                quote = isNames ? null : letter;
            }
            else if (quote == letter)
            {
                quote = null;
            }
            else if (quote is not null)
            {
                shown[at] = ' ';
            }
        }

        return new string(shown);
    }

    private static string Cut(string text) => text.Length <= 60 ? text : text[..60] + "…";

    [GeneratedRegex(@"^#[ \t]*(?<name>[a-zA-Z][a-zA-Z0-9]*)[ \t]*=[ \t]*(?<value>[^ \t]+)[ \t]*$", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Directive();

    [GeneratedRegex("""(?<![<\\0-9])[0-9]?<<(?<dash>-?)(?:(?<mark>["'])(?<quoted>[a-zA-Z0-9_.\-/]+)\k<mark>|(?<name>[a-zA-Z0-9_.][a-zA-Z0-9_.\-/]*))""", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex HereStart();
}

[JsonSourceGenerationOptions(MaxDepth = 4)]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(string))]
internal sealed partial class DockerfileJson : JsonSerializerContext;
