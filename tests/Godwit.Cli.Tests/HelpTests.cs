using System.CommandLine;

namespace Godwit.Cli.Tests;

public sealed class HelpTests
{
    [Fact]
    public async Task The_help_of_every_command_is_as_it_was_read_and_approved()
    {
        foreach (var path in CommandPaths(GodwitCli.BuildRoot(World()), []))
        {
            var ran = await Ran.RunAsync(new(), [.. path, "--help"], TestContext.Current.CancellationToken);
            Assert.Equal((ExitCodes.Done, ""), (ran.ExitCode, ran.Error));
            Golden.Check("help/" + string.Join('-', path.Prepend("godwit")), Trimmed(ran.Output));
        }
    }

    [Fact]
    public void Every_command_option_and_argument_is_described()
    {
        var undescribed = Symbols(GodwitCli.BuildRoot(World())).Where(symbol => string.IsNullOrWhiteSpace(symbol.Description)).Select(symbol => symbol.Name);
        Assert.Empty(undescribed);
    }

    [Fact]
    public async Task The_shells_get_their_scripts()
    {
        foreach (var shell in (string[])["bash", "zsh", "fish"])
        {
            var ran = await Ran.RunAsync(new(), ["completion", shell], TestContext.Current.CancellationToken);
            Assert.Equal(ExitCodes.Done, ran.ExitCode);
            Golden.Check("completion-" + shell, ran.Output);
        }
    }

    private static CliEnvironment World() => new()
    {
        Output = TextWriter.Null,
        Error = TextWriter.Null,
        OpenInput = () => Stream.Null,
        OpenRawOutput = () => Stream.Null,
        Clock = TimeProvider.System,
        Variable = _ => null,
    };

    private static IEnumerable<string[]> CommandPaths(Command command, string[] path) =>
        command.Subcommands.SelectMany(sub => CommandPaths(sub, [.. path, sub.Name])).Prepend(path);

    private static IEnumerable<Symbol> Symbols(Command command) =>
        command.Arguments.Concat<Symbol>(command.Options).Append(command).Concat(command.Subcommands.SelectMany(Symbols));

    private static string Trimmed(string text) => string.Join('\n', text.Split('\n').Select(line => line.TrimEnd())).Replace(RootCommand.ExecutableName, "godwit", StringComparison.Ordinal);
}
