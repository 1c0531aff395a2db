using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using Godwit.Linux.Networking;

namespace Godwit.Linux.Commands;

/// <summary>A tool to run to its end: no shell, an environment of its own, bounded time and output.</summary>
/// <param name="Program">Name (found on the standard path) or absolute path.</param>
/// <param name="Arguments">Passed as they stand.</param>
public sealed record Command(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>More than this of either output ends the tool.</summary>
    public const int OutputCharactersMax = 4 << 20;

    private const int WordsMax = 2000;

    /// <summary>What it reads on standard input.</summary>
    public string Input { get; init; } = "";

    public TimeSpan Bound { get; init; } = TimeSpan.FromSeconds(60);

    public NetworkNamespace Place { get; init; } = NetworkNamespace.Own;

    /// <summary>The mounts that it sees; null is ours.</summary>
    public Files.MountNamespace? View { get; init; }

    /// <summary>Runs it and returns its standard output.</summary>
    /// <exception cref="CommandException">It could not be started, did not end in time, said too much, or exited with another code than zero.</exception>
    public async Task<string> RunAsync(TimeProvider time, CancellationToken stopping)
    {
        using var process = new Process { StartInfo = Describe() };
        Start(process);
        using var bound = new CancellationTokenSource(Bound, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, stopping);
        try
        {
            var output = ReadAsync(process.StandardOutput, either);
            var errors = ReadAsync(process.StandardError, either);
            await WriteInputAsync(process, either.Token);
            await Task.WhenAll(output, errors);
            await process.WaitForExitAsync(either.Token);
            return process.ExitCode == 0 ? await output : throw new CommandException(this, process.ExitCode, Cut(await errors));
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            throw new CommandException(this, null, bound.IsCancellationRequested ? $"not done after {Bound.TotalSeconds} s" : "it said more than is bearable");
        }
        finally
        {
            Kill(process);
            // Whoever has asked for these has to close them; the process's own end leaves them to the collector.
            process.StandardOutput.Dispose();
            process.StandardError.Dispose();
        }
    }

    public override string ToString() => string.Join(' ', [Program, .. Arguments]);

    private static string Cut(string words) => words.Trim() is var trimmed && trimmed.Length > WordsMax ? trimmed[..WordsMax] + "…" : trimmed;

    private async Task WriteInputAsync(Process process, CancellationToken stopping)
    {
        try
        {
            await process.StandardInput.WriteAsync(Input.AsMemory(), stopping);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading all of it: its exit code and words say why.
        }
    }

    private static async Task<string> ReadAsync(StreamReader reader, CancellationTokenSource either)
    {
        var text = new StringBuilder();
        var buffer = new char[8192];
        int count;
        while ((count = await reader.ReadAsync(buffer, either.Token)) > 0)
        {
            text.Append(buffer, 0, count);
            if (text.Length > OutputCharactersMax)
            {
                await either.CancelAsync();
            }
        }

        return text.ToString();
    }

    private static void Kill(Process process)
    {
        try
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
        catch (InvalidOperationException)
        {
            // It has ended meanwhile.
        }
    }

    private void Start(Process process)
    {
        try
        {
            _ = View is null ? Place.Run(process.Start) : View.Run(() => Place.Run(process.Start));
        }
        catch (Win32Exception refusal)
        {
            throw new CommandException(this, null, "is its package installed?", refusal);
        }
    }

    private ProcessStartInfo Describe()
    {
        var start = new ProcessStartInfo(Find(Program), Arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
        };
        start.Environment.Clear();
        foreach (var (name, value) in Processes.ProcessLaunch.StandardEnvironment)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    /// <summary>Our own search path may lack the system administrator's folders.</summary>
    private static string Find(string program) => program.Contains('/', StringComparison.Ordinal)
        ? program
        : Processes.ProcessLaunch.StandardEnvironment["PATH"].Split(':').Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists) ?? program;
}

/// <summary>A tool that did not do its work.</summary>
public sealed class CommandException(Command command, int? exitCode, string words, Exception? cause = null)
    : Exception($"'{command}' {(exitCode is null ? "failed" : $"exited with code {exitCode}")}: {words}", cause)
{
    /// <summary>Null when it was not started or not let end.</summary>
    public int? ExitCode { get; } = exitCode;
}
