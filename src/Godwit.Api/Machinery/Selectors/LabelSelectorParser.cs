namespace Godwit.Api.Machinery.Selectors;

/// <summary>Reads the text of a label selector, one requirement at a time.</summary>
internal sealed class LabelSelectorParser(string text)
{
    private const string Marks = "=!<>(),";

    private int at;

    public LabelSelector Read()
    {
        var requirements = new List<LabelRequirement>();
        SkipSpace();
        while (at < text.Length)
        {
            requirements.Add(ReadRequirement());
            SkipSpace();
            if (at == text.Length)
            {
                break;
            }

            Expect(',');
            SkipSpace();
            if (at == text.Length)
            {
                throw Wrong("a requirement after the last comma");
            }
        }

        return new LabelSelector(requirements);
    }

    private LabelRequirement ReadRequirement()
    {
        if (Take("!"))
        {
            return Make(ReadWord(), SelectorOperator.NotExists);
        }

        var key = ReadWord();
        if (Take("=="))
        {
            return Make(key, SelectorOperator.In, ReadValue());
        }

        if (Take("="))
        {
            return Make(key, SelectorOperator.In, ReadValue());
        }

        if (Take("!="))
        {
            return Make(key, SelectorOperator.NotIn, ReadValue());
        }

        if (Take(">"))
        {
            return MakeNumeric(key, SelectorOperator.GreaterThan, ReadValue());
        }

        if (Take("<"))
        {
            return MakeNumeric(key, SelectorOperator.LessThan, ReadValue());
        }

        if (at == text.Length || text[at] == ',')
        {
            return Make(key, SelectorOperator.Exists);
        }

        var start = at;
        return ReadWord() switch
        {
            "in" => Make(key, SelectorOperator.In, ReadSet()),
            "notin" => Make(key, SelectorOperator.NotIn, ReadSet()),
            _ => throw Wrong("one of =, ==, !=, in, notin, >, <", start),
        };
    }

    private string[] ReadSet()
    {
        SkipSpace();
        Expect('(');
        var values = new List<string>();
        do
        {
            values.Add(ReadValue());
        }
        while (Take(","));
        Expect(')');
        // Sets have no order: written in one, equal selectors have equal texts.
        return [.. values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    /// <summary>A value, which may be empty.</summary>
    private string ReadValue()
    {
        SkipSpace();
        var start = at;
        while (at < text.Length && !char.IsWhiteSpace(text[at]) && !Marks.Contains(text[at], StringComparison.Ordinal))
        {
            at++;
        }

        var word = text[start..at];
        SkipSpace();
        return word;
    }

    private string ReadWord()
    {
        var start = at;
        var word = ReadValue();
        return word.Length > 0 ? word : throw Wrong("a label's name", start);
    }

    private static LabelRequirement MakeNumeric(string key, SelectorOperator comparison, string bound) =>
        LabelSelector.TryParseNumber(bound, out _) ? Make(key, comparison, bound) : throw new FormatException($"\"{bound}\" in a label selector must be a whole number");

    private static LabelRequirement Make(string key, SelectorOperator comparison, params string[] values)
    {
        if (Names.CheckQualifiedName(key) is { } wrongKey)
        {
            throw new FormatException($"\"{key}\" is no label's name: {wrongKey}");
        }

        foreach (var value in values)
        {
            if (comparison is SelectorOperator.In or SelectorOperator.NotIn && Names.CheckLabelValue(value) is { } wrong)
            {
                throw new FormatException($"\"{value}\" is no label's value: {wrong}");
            }
        }

        return new LabelRequirement(key, comparison, values);
    }

    private bool Take(string mark)
    {
        SkipSpace();
        if (!text.AsSpan(at).StartsWith(mark, StringComparison.Ordinal))
        {
            return false;
        }

        at += mark.Length;
        SkipSpace();
        return true;
    }

    private void Expect(char mark)
    {
        if (at == text.Length || text[at] != mark)
        {
            throw Wrong($"'{mark}'");
        }

        at++;
    }

    private void SkipSpace()
    {
        while (at < text.Length && char.IsWhiteSpace(text[at]))
        {
            at++;
        }
    }

    private FormatException Wrong(string expected, int? where = null) =>
        new($"the label selector is wrong at character {(where ?? at) + 1}: expected {expected}");
}
