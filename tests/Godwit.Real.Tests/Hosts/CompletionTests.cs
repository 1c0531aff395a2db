using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary>What a shell offers after a tab, with the scripts that the real program prints.</summary>
public sealed class CompletionTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(1);

    private static readonly Dictionary<string, string> Ask = new(StringComparer.Ordinal)
    {
        ["bash"] = """
            eval "$(godwit completion bash)"; COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}; read -ra COMP_WORDS <<< "$1"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _godwit; printf '%s\n' "${COMPREPLY[@]}"
            """,
        ["zsh"] = """
            autoload -U compinit; compinit -u -D; eval "$(godwit completion zsh)"
            compadd() { shift; print -l -- "$@" }
            BUFFER="$1"; CURSOR=${#BUFFER}; _godwit
            """,
        ["fish"] = "godwit completion fish | source; complete -C $argv[1]",
    };

    [Theory]
    [InlineData("bash", "godwit vm con", "console")]
    [InlineData("bash", "godwit migrate tiny --mode post", "postcopy")]
    [InlineData("bash", "godwit up --link", "--link-rate")]
    [InlineData("zsh", "godwit vm con", "console")]
    [InlineData("fish", "godwit vm con", "console")]
    public async Task A_word_begun_is_completed(string shell, string line, string word)
    {
        Assert.SkipUnless(File.Exists(GodwitLab.Program), $"needs the program {GodwitLab.Program}: run eng/publish.sh");
        Assert.SkipUnless(File.Exists($"/usr/bin/{shell}"), $"needs {shell}: run eng/setup.sh test");
        var path = $"{Path.GetDirectoryName(GodwitLab.Program)}:{Environment.GetEnvironmentVariable("PATH")}";
        string[] arguments = shell switch
        {
            "zsh" => ["-f", "-c", Ask[shell], shell, line],
            "fish" => ["--no-config", "-c", Ask[shell], line],
            _ => ["-c", Ask[shell], shell, line],
        };

        var result = await Command.RunAsync($"/usr/bin/{shell}", arguments, Bound, environment: new Dictionary<string, string>(StringComparer.Ordinal) { ["PATH"] = path });

        Assert.Contains(word, result.MustSucceed().Output.Split('\n', StringSplitOptions.TrimEntries));
    }
}
