using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Godwit.Cli;

/// <summary>Help that ends with examples: what a newcomer copies first.</summary>
public static class Help
{
    private static readonly System.Runtime.CompilerServices.ConditionalWeakTable<Command, Page> Pages = [];

    /// <summary>Gives a command examples (what to write, what it does) and an optional closing remark.</summary>
    public static void Add(Command command, IReadOnlyList<(string Line, string Meaning)> examples, string remark = "") =>
        Pages.AddOrUpdate(command, new Page(examples, remark));

    /// <summary>The words that lead to a command, from the program's name on.</summary>
    public static string PathOf(Command command)
    {
        var words = new List<string>();
        for (Symbol? at = command; at is not null; at = at.Parents.FirstOrDefault())
        {
            words.Insert(0, at is RootCommand ? "godwit" : at.Name);
        }

        return string.Join(' ', words);
    }

    /// <summary>Makes the help of all commands below the root end with their examples.</summary>
    internal static void ShowEverywhere(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            if (option.Action is HelpAction standard)
            {
                option.Action = new HelpWithExamples(standard);
            }
        }
    }

    private sealed record Page(IReadOnlyList<(string Line, string Meaning)> Examples, string Remark);

    private sealed class HelpWithExamples(HelpAction standard) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var result = standard.Invoke(parseResult);
            var output = parseResult.InvocationConfiguration.Output;
            if (Pages.TryGetValue(parseResult.CommandResult.Command, out var page))
            {
                output.WriteLine("Examples:");
                var width = page.Examples.Max(example => example.Line.Length);
                foreach (var (line, meaning) in page.Examples)
                {
                    output.WriteLine($"  {line.PadRight(width)}  {meaning}");
                }

                output.WriteLine();
                if (page.Remark.Length > 0)
                {
                    output.WriteLine(page.Remark);
                }
            }

            return result;
        }
    }
}
