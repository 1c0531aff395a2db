using System.CommandLine.Parsing;

namespace Godwit.Cli.Output;

/// <summary>The forms in which a command answers.</summary>
internal enum OutputFormat
{
    Table,

    /// <summary>A table with more columns.</summary>
    Wide,
    Json,
    Yaml,

    /// <summary><c>kind/name</c>, a line an object.</summary>
    Name,
}

internal static class OutputFormats
{
    public static string[] Names { get; } = ["table", "wide", "json", "yaml", "name"];

    public static OutputFormat? Parse(ArgumentResult argument)
    {
        var word = argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "";
        var index = Array.IndexOf(Names, word);
        if (index < 0)
        {
            argument.AddError($"--output '{word}' is no form of answer: use one of {string.Join(", ", Names)}.");
            return null;
        }

        return (OutputFormat)index;
    }
}
