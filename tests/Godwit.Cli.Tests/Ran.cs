using System.Text;

namespace Godwit.Cli.Tests;

/// <summary>What a command line did.</summary>
public sealed record Ran(int ExitCode, string Output, string Error)
{
    public static async Task<Ran> RunAsync(World environment, IReadOnlyList<string> arguments, CancellationToken stopping)
    {
        var (output, error) = (environment.Output ?? new StringWriter(), new StringWriter());
        var world = new CliEnvironment
        {
            Output = output,
            Error = error,
            OpenInput = () => new MemoryStream(Encoding.UTF8.GetBytes(environment.Input)),
            OpenRawOutput = () => new MemoryStream(),
            Width = 100,
            Clock = environment.Clock,
            Variable = name => name == "KUBECONFIG" ? environment.KubeconfigPath : null,
            LocalKubeconfigPath = "/nowhere/admin.kubeconfig",
            Version = "0.1.0",
            ForgetHostAuthorities = environment.ForgetHostAuthorities,
        };
        var exitCode = await GodwitCli.InvokeAsync(GodwitCli.BuildRoot(world), arguments, world, stopping);
        return new Ran(exitCode, output.ToString()!, error.ToString());
    }
}

/// <summary>The world that a command line runs in.</summary>
public sealed record World
{
    public string? KubeconfigPath { get; init; }

    public string Input { get; init; } = "";

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    public Action ForgetHostAuthorities { get; init; } = () => { };

    /// <summary>Where output goes, for a test that reads it while the command runs.</summary>
    public TextWriter? Output { get; init; }
}
