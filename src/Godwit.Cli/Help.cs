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
    internal static void ShowEverywhere(RootCommand root, int width)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            if (option.Action is HelpAction standard)
            {
                standard.MaxWidth = width;
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
            var command = parseResult.CommandResult.Command;
            var output = parseResult.InvocationConfiguration.Output;
            var text = new StringWriter();
            parseResult.InvocationConfiguration.Output = text;
            var result = standard.Invoke(parseResult);
            parseResult.InvocationConfiguration.Output = output;
            output.Write(WithoutForeignArguments(command, text.ToString()));
            if (Pages.TryGetValue(command, out var page))
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

        /// <summary>
        /// The library shows the arguments of the commands above as well. Where one of ours has both an argument and
        /// commands below it, the argument is not theirs: <c>migrate VM</c>, but <c>migrate list</c>.
        /// </summary>
        private static string WithoutForeignArguments(Command command, string text)
        {
            foreach (var foreign in command.Parents.OfType<Command>().SelectMany(parent => parent.Arguments))
            {
                text = text.Replace($" <{foreign.Name}> {command.Name}", $" {command.Name}", StringComparison.Ordinal);
                var lines = text.Split('\n').Where(line => !(line.StartsWith($"  <{foreign.Name}>", StringComparison.Ordinal) && line.Contains(foreign.Description!, StringComparison.Ordinal)));
                text = string.Join('\n', lines);
            }

            return command.Arguments.Count > 0 ? text : text.Replace("Arguments:\n\n", "", StringComparison.Ordinal);
        }
    }
}
