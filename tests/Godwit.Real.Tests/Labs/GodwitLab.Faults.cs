using System.Diagnostics;

namespace Godwit.Real.Tests.Labs;

/// <content>Ways to hurt a lab, and to bring it up again.</content>
public sealed partial class GodwitLab
{
    internal int AgentProcessId(string node) => ProcessIdOf($"agent --node-name {node} --instance {Instance} ");

    internal int ServerProcessId() => ProcessIdOf($"server --instance {Instance} ");

    /// <summary>As a crash would: nothing of the process runs on.</summary>
    internal void Kill(int processId)
    {
        using var process = Process.GetProcessById(processId);
        process.Kill();
        process.WaitForExit(TimeSpan.FromSeconds(30));
    }

    /// <summary>Starts what does not run, and leaves the rest as it is.</summary>
    internal async Task BringUpAsync() =>
        (await GodwitAsync(StartBound, "up", "--lab", "2", "--link-rate", "1gbit", "--data", DataFolder, "--images", ImagesFolder)).MustSucceed();

    /// <summary>Pulls a node's cable, or plugs it in.</summary>
    internal async Task SetLinkAsync(string node, bool up) =>
        (await Command.RunAsync("ip", ["-n", $"{Instance}-{node}", "link", "set", "uplink", up ? "up" : "down"], TimeSpan.FromSeconds(30))).MustSucceed();

    internal string AgentLogs() => string.Concat(Directory.EnumerateFiles(Path.Combine(DataFolder, "logs"), "node-*.log").Select(File.ReadAllText));

    private static int ProcessIdOf(string words)
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), out var processId) && CommandLineOf(folder).Contains(words, StringComparison.Ordinal))
            {
                return processId;
            }
        }

        throw new InvalidOperationException($"No process of this lab runs 'godwit {words}'.");
    }

    private static string CommandLineOf(string folder)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, "cmdline")).Replace('\0', ' ');
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return ""; // It ended while we looked.
        }
    }
}
