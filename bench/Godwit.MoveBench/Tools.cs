using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Godwit.Linux.Commands;

namespace Godwit.MoveBench;

/// <summary>The small programs beside this one, compiled when they are first needed.</summary>
internal static class Tools
{
    /// <summary>The folder <c>bench</c>.</summary>
    public static string Folder { get; } = Find();

    private static string OutputFolder { get; } = Directory.CreateTempSubdirectory("godwit-move-bench-").FullName;

    public static async Task<string> CompileAsync(string name, CancellationToken stopping)
    {
        var output = Path.Combine(OutputFolder, name);
        if (!File.Exists(output))
        {
            await new Command("gcc", "-O2", "-static", "-o", output, Path.Combine(Folder, "tools", $"{name}.c")).RunAsync(TimeProvider.System, stopping);
        }

        return output;
    }

    public static Process Start(string program, params IReadOnlyList<string> arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })
            ?? throw new InvalidOperationException($"{program} did not start.");

    private static string Find()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "bench", "tools", "prober.c")))
            {
                return Path.Combine(folder, "bench");
            }
        }

        throw new InvalidOperationException("The folder bench/tools is not above this program.");
    }
}

/// <summary>A look at the guest from outside while it moves; see tools/prober.c.</summary>
internal sealed class Prober : IDisposable
{
    private const string IntervalMs = "5";
    private readonly Process process;

    private Prober(Process process) => this.process = process;

    public static async Task<Prober> StartAsync(IPAddress guest, CancellationToken stopping) =>
        new(Tools.Start(await Tools.CompileAsync("prober", stopping), guest.ToString(), IntervalMs));

    /// <summary>The longest silences in milliseconds, of the guest's kernel and of a process in it.</summary>
    public async Task<(double KernelMs, double UserMs)> FinishAsync(CancellationToken stopping)
    {
        process.StandardInput.Close();
        var report = JsonNode.Parse(await process.StandardOutput.ReadToEndAsync(stopping))!;
        return (Gap(report["icmp"]!), Gap(report["udp"]!));
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.Kill();
        }

        process.Dispose();
    }

    /// <summary>A guest that never answered has no gap: it was never there.</summary>
    private static double Gap(JsonNode kind) => (long)kind["replies"]! > 0 ? (double)kind["gapMs"]! : double.NaN;
}
