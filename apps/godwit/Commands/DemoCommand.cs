using System.CommandLine;
using Godwit.App.Demos;
using Godwit.Cli;

namespace Godwit.App.Commands;

/// <summary><c>godwit demo</c>: the main job, shown on a real guest.</summary>
internal static class DemoCommand
{
    public static Command Create(CliEnvironment environment)
    {
        var cleanup = new Option<bool>("--cleanup") { Description = "Delete the guest afterwards" };
        var command = new Command("demo", "Start a real guest, move it live, and let the guest itself say what it noticed") { cleanup };
        Help.Add(
            command,
            [
                ("godwit up --lab 2; godwit demo", "in front of your eyes"),
                ("godwit demo -o json", "the last line is one JSON object"),
            ]);
        command.SetAction((parsed, stopping) => new Demo(environment).RunAsync(GodwitCli.AsksForJson(parsed), parsed.GetValue(cleanup), stopping));
        return command;
    }
}
