using System.Diagnostics;
using System.Text;

namespace Godwit.Real.Tests.Labs;

/// <summary>What a program said and how it ended.</summary>
internal sealed record CommandResult(string CommandLine, int ExitCode, string Output, string Errors)
{
    /// <summary>The result, if the program succeeded; otherwise the test fails with all that it said.</summary>
    public CommandResult MustSucceed()
    {
        Assert.True(ExitCode == 0, $"{CommandLine}: exit code {ExitCode}\n{Output}\n{Errors}");
        return this;
    }
}

/// <summary>Runs programs as a person would, each within a time bound.</summary>
internal static class Command
{
    public static async Task<CommandResult> RunAsync(
        string program, IReadOnlyList<string> arguments, TimeSpan bound, string? input = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.StandardInput.WriteAsync(input ?? "");
        process.StandardInput.Close();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(bound);
        var line = new StringBuilder(program).Append(' ').AppendJoin(' ', arguments).ToString();
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{line}: did not end within {bound}.\n{await output}\n{await errors}");
        }

        return new CommandResult(line, process.ExitCode, await output, await errors);
    }
}
