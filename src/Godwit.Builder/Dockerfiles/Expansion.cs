using System.Text;

namespace Godwit.Builder.Dockerfiles;

/// <summary>
/// Expands variables in words and takes quotes away, as the Dockerfile reference has it: <c>$name</c>, <c>${name}</c>,
/// <c>${name:-word}</c>, <c>${name:+word}</c>, <c>${name:?word}</c> (without the colon: only unset counts), <c>${name#pattern}</c>,
/// <c>##</c>, <c>%</c>, <c>%%</c>, <c>${name/pattern/word}</c> and <c>//</c>. In single quotes nothing is expanded. Pure.
/// </summary>
public sealed class Expansion
{
    private const int DepthMax = 32;
    private const int LengthMax = 1 << 20;

    private readonly string text;
    private readonly char escape;
    private readonly Func<string, string?> variables;
    private readonly int line;
    private readonly int depth;
    private readonly bool keepsQuotes;
    private int at;

    private Expansion(string text, ExpansionRules rules, int depth, bool keepsQuotes)
    {
        (this.text, escape, variables, line) = (text, rules.Escape, rules.Variables, rules.Line);
        (this.depth, this.keepsQuotes) = (depth, keepsQuotes);
        if (depth > DepthMax)
        {
            throw new BuildException($"expansions are nested more than {DepthMax} deep", line);
        }
    }

    /// <summary>The whole text as one word.</summary>
    /// <exception cref="BuildException">A quote or brace is not closed, or a required variable is missing.</exception>
    public static string Word(string text, ExpansionRules rules) => new Expansion(text, rules, 0, keepsQuotes: false).Run(null, null);

    /// <summary>A here-document: variables are expanded, quotes stay.</summary>
    public static string Document(string text, ExpansionRules rules) => new Expansion(text, rules, 0, keepsQuotes: true).Run(null, null);

    /// <summary>The text's words, split at blanks outside quotes; what a variable holds is not split again.</summary>
    public static IReadOnlyList<string> Words(string text, ExpansionRules rules)
    {
        var words = new List<string>();
        var last = new Expansion(text, rules, 0, keepsQuotes: false).Run(null, words);
        if (last.Length > 0)
        {
            words.Add(last);
        }

        return words;
    }

    /// <summary>Expands up to the end, or to a closing brace of the enclosing expansion.</summary>
    private string Run(char? until, List<string>? words)
    {
        var word = new StringBuilder();
        while (at < text.Length)
        {
            var letter = text[at];
            if (letter == until)
            {
                return word.ToString();
            }

            if (!keepsQuotes && letter == '\'')
            {
                Single(word);
            }
            else if (!keepsQuotes && letter == '"')
            {
                Double(word);
            }
            else if (letter == '$')
            {
                word.Append(Variable());
            }
            else if (letter == escape)
            {
                Escaped(word);
            }
            else if (words is not null && letter is (' ' or '\t'))
            {
                at++;
                EndWord(word, words);
            }
            else
            {
                word.Append(letter);
                at++;
            }

            if (word.Length > LengthMax)
            {
                throw new BuildException($"a word is longer than {LengthMax} characters", line);
            }
        }

        return until is null ? word.ToString() : throw new BuildException("syntax error: missing '}'", line);
    }

    private static void EndWord(StringBuilder word, List<string> words)
    {
        if (word.Length > 0)
        {
            words.Add(word.ToString());
            word.Clear();
        }
    }

    private void Single(StringBuilder word)
    {
        var end = text.IndexOf('\'', at + 1);
        if (end < 0)
        {
            throw new BuildException("unexpected end of statement while looking for matching single-quote", line);
        }

        word.Append(text, at + 1, end - at - 1);
        at = end + 1;
    }

    private void Double(StringBuilder word)
    {
        for (at++; at < text.Length;)
        {
            var letter = text[at];
            if (letter == '"')
            {
                at++;
                return;
            }

            if (letter == '$')
            {
                word.Append(Variable());
            }
            else if (letter == escape && at + 1 < text.Length)
            {
                // In double quotes only these lose their meaning by it; else it stays.
                word.Append(text[at + 1] is '"' or '$' || text[at + 1] == escape ? "" : escape.ToString()).Append(text[at + 1]);
                at += 2;
            }
            else
            {
                word.Append(letter);
                at++;
            }
        }

        throw new BuildException("unexpected end of statement while looking for matching double-quote", line);
    }

    private void Escaped(StringBuilder word)
    {
        if (at + 1 == text.Length)
        {
            at++;
            return;
        }

        word.Append(keepsQuotes && text[at + 1] != '$' && text[at + 1] != escape ? escape.ToString() : "").Append(text[at + 1]);
        at += 2;
    }

    private string Variable()
    {
        at++;
        if (at < text.Length && text[at] == '{')
        {
            at++;
            return Braced();
        }

        var name = Name();
        return name.Length == 0 ? "$" : variables(name) ?? "";
    }

    private string Name()
    {
        var start = at;
        if (at < text.Length && char.IsAsciiDigit(text[at]))
        {
            at++;
            return text[start..at];
        }

        while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] == '_'))
        {
            at++;
        }

        return text[start..at];
    }

    private string Braced()
    {
        var name = Name();
        if (name.Length == 0)
        {
            throw new BuildException("syntax error: bad substitution", line);
        }

        var value = variables(name);
        var operation = at < text.Length ? text[at] : throw new BuildException("syntax error: missing '}'", line);
        switch (operation)
        {
            case '}':
                at++;
                return value ?? "";
            case ':' or '-' or '+' or '?':
                return Conditional(name, value, operation);
            case '#' or '%':
                return Trimmed(value ?? "", operation);
            case '/':
                return Replaced(value ?? "");
            default:
                throw new BuildException($"unsupported modifier ({operation}) in substitution", line);
        }
    }

    private string Conditional(string name, string? value, char operation)
    {
        at++;
        var emptyCounts = operation == ':';
        if (emptyCounts)
        {
            operation = at < text.Length ? text[at++] : '\0';
        }

        var word = Inner();
        var isSet = value is not null && !(emptyCounts && value.Length == 0);
        return operation switch
        {
            '-' => isSet ? value! : word,
            '+' => isSet ? word : "",
            '?' => isSet ? value! : throw new BuildException($"{name}: {(word.Length > 0 ? word : "not allowed to be unset or empty")}", line),
            _ => throw new BuildException("unsupported modifier (:) in substitution", line),
        };
    }

    private string Trimmed(string value, char operation)
    {
        at++;
        var isLongest = at < text.Length && text[at] == operation;
        at += isLongest ? 1 : 0;
        var pattern = Inner();
        var lengths = Enumerable.Range(0, value.Length + 1);
        foreach (var length in isLongest ? lengths.Reverse() : lengths)
        {
            var (part, rest) = operation == '#' ? (value[..length], value[length..]) : (value[^length..], value[..^length]);
            if (Glob.Matches(pattern, part, slashIsOrdinary: true))
            {
                return rest;
            }
        }

        return value;
    }

    private string Replaced(string value)
    {
        at++;
        var all = at < text.Length && text[at] == '/';
        at += all ? 1 : 0;
        var (pattern, word) = PatternAndWord();
        var result = new StringBuilder();
        var from = 0;
        while (from < value.Length && pattern.Length > 0)
        {
            var length = Enumerable.Range(1, value.Length - from).Reverse().FirstOrDefault(each => Glob.Matches(pattern, value.AsSpan(from, each), slashIsOrdinary: true));
            result.Append(length > 0 ? word : value[from].ToString());
            from += Math.Max(length, 1);
            if (length > 0 && !all)
            {
                break;
            }
        }

        return result.Append(value, from, value.Length - from).ToString();
    }

    private (string Pattern, string Word) PatternAndWord()
    {
        var inner = new Expansion(text[at..], new ExpansionRules(escape, variables, line), depth + 1, keepsQuotes: false);
        var pattern = inner.RunTo('/', '}');
        at += inner.at;
        if (text[at] == '}')
        {
            at++;
            return (pattern, "");
        }

        at++;
        return (pattern, Inner());
    }

    /// <summary>Expands up to one of two characters, which is not taken.</summary>
    private string RunTo(char first, char second)
    {
        var word = new StringBuilder();
        while (at < text.Length)
        {
            if (text[at] == first || text[at] == second)
            {
                return word.ToString();
            }

            if (text[at] == '$')
            {
                word.Append(Variable());
            }
            else if (text[at] == escape)
            {
                Escaped(word);
            }
            else
            {
                word.Append(text[at++]);
            }
        }

        throw new BuildException("syntax error: missing '}'", line);
    }

    /// <summary>The word up to the closing brace, expanded; the brace is taken.</summary>
    private string Inner()
    {
        var inner = new Expansion(text[at..], new ExpansionRules(escape, variables, line), depth + 1, keepsQuotes: false);
        var word = inner.Run('}', null);
        at += inner.at + 1;
        return word;
    }
}

/// <summary>What an expansion goes by.</summary>
/// <param name="Escape">The Dockerfile's escape character.</param>
/// <param name="Variables">The value of a variable; null where it is not set.</param>
/// <param name="Line">For messages.</param>
public sealed record ExpansionRules(char Escape, Func<string, string?> Variables, int Line);
