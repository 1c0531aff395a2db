using System.CommandLine;

namespace Godwit.Cli.Commands;

/// <summary>
/// Prints a script that makes a shell complete <c>godwit</c>'s words. The script knows none of them: it asks the program
/// itself (<c>godwit [suggest:POSITION] LINE</c>), which also knows the names of machines and nodes.
/// </summary>
internal static class CompletionCommand
{
    private const string Bash = """
        # godwit completion for bash: eval "$(godwit completion bash)"
        _godwit() {
          local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}"
          COMPREPLY=($(compgen -W "$(godwit "[suggest:${#line}]" "$line" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _godwit godwit

        """;

    private const string Zsh = """
        # godwit completion for zsh: eval "$(godwit completion zsh)"
        _godwit() {
          local line="${BUFFER[1,CURSOR]}"
          local -a words_known=("${(@f)$(godwit "[suggest:${#line}]" "$line" 2>/dev/null)}")
          compadd -- "${words_known[@]}"
        }
        compdef _godwit godwit

        """;

    private const string Fish = """
        # godwit completion for fish: godwit completion fish | source
        function __godwit_complete
          set -l line (commandline -cp)
          godwit "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c godwit -f -a '(__godwit_complete)'

        """;

    public static Command Build(CommandContext context)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", "Print a script that makes the shell complete commands, options and names") { shell };
        Help.LeaveOut(command, "--kubeconfig", "--context", "--server", "--namespace", "--output");
        Help.Add(command, [("echo 'eval \"$(godwit completion bash)\"' >> ~/.bashrc", "for every new shell")]);
        command.SetAction(parsed => context.Environment.Output.Write(parsed.GetRequiredValue(shell) switch
        {
            "bash" => Bash,
            "zsh" => Zsh,
            _ => Fish,
        }));
        return command;
    }
}
