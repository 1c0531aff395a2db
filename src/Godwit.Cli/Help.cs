using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Godwit.Cli;

/// <summary>Help that ends with examples: what a newcomer copies first.</summary>
public static class Help
{
    private static readonly ConditionalWeakTable<Command, Page> Pages = [];
    private static readonly ConditionalWeakTable<Command, IReadOnlyList<string>> LeftOut = [];

    /// <summary>Gives a command examples (what to write, what it does) and an optional closing remark.</summary>
    public static void Add(Command command, IReadOnlyList<(string Line, string Meaning)> examples, string remark = "") =>
        Pages.AddOrUpdate(command, new Page(examples, remark));

    /// <summary>Leaves options of the commands above out of a command's help: those that mean nothing to it.</summary>
    /// <param name="names">As on the command line, with their dashes.</param>
    public static void LeaveOut(Command command, params IReadOnlyList<string> names) => LeftOut.AddOrUpdate(command, names);

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
                option.Action = new HelpWithExamples(standard, width);
            }
        }
    }

    private sealed record Page(IReadOnlyList<(string Line, string Meaning)> Examples, string Remark);

    private sealed class HelpWithExamples(HelpAction standard, int width) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var command = parseResult.CommandResult.Command;
            var output = parseResult.InvocationConfiguration.Output;
            var text = new StringWriter();
            parseResult.InvocationConfiguration.Output = text;
            var result = InvokeWithoutLeftOut(command, () => standard.Invoke(parseResult));
            parseResult.InvocationConfiguration.Output = output;
            output.Write(WithoutForeignArguments(command, text.ToString()));
            if (Pages.TryGetValue(command, out var page))
            {
                output.WriteLine("Examples:");
                WriteExamples(output, page.Examples);
                output.WriteLine();
                if (page.Remark.Length > 0)
                {
                    output.WriteLine(Wrap(page.Remark));
                }
            }

            return result;
        }

        /// <summary>Side by side where they fit on the screen, else each meaning below its line.</summary>
        private void WriteExamples(TextWriter output, IReadOnlyList<(string Line, string Meaning)> examples)
        {
            var column = examples.Max(example => example.Line.Length);
            var fits = 2 + column + 2 + examples.Max(example => example.Meaning.Length) <= width;
            foreach (var (line, meaning) in examples)
            {
                output.WriteLine(fits ? $"  {line.PadRight(column)}  {meaning}" : $"  {line}\n      {meaning}");
            }
        }

        private string Wrap(string text)
        {
            var lines = new List<string> { "" };
            foreach (var word in text.Split(' '))
            {
                if (lines[^1].Length + 1 + word.Length > width)
                {
                    lines.Add(word);
                }
                else
                {
                    lines[^1] += lines[^1].Length == 0 ? word : " " + word;
                }
            }

            return string.Join('\n', lines);
        }

        private static IEnumerable<Command> Ancestors(Command command) =>
            command.Parents.OfType<Command>().SelectMany(parent => Ancestors(parent).Prepend(parent));

        private static int InvokeWithoutLeftOut(Command command, Func<int> invoke)
        {
            var names = LeftOut.TryGetValue(command, out var found) ? found : [];
            var hidden = Ancestors(command).SelectMany(parent => parent.Options).Where(option => names.Contains(option.Name)).ToList();
            hidden.ForEach(option => option.Hidden = true);
            try
            {
                return invoke();
            }
            finally
            {
                hidden.ForEach(option => option.Hidden = false);
            }
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
