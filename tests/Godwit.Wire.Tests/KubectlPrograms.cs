using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Godwit.Wire.Tests;

/// <summary>The versions of kubectl on this machine: the installed one, Debian's from its own cache, and those that the Google Cloud SDK brings.</summary>
internal static class KubectlPrograms
{
    private static readonly Lazy<IReadOnlyDictionary<string, string>> Found = new(Look);

    public static IReadOnlyList<string> Places { get; } = ["/usr/bin", "/usr/local/bin", "/var/cache/godwit/kubectl/usr/bin", "/usr/lib/google-cloud-sdk/bin"];

    /// <summary>The program of a version such as <c>1.32</c>, or null.</summary>
    public static string? Find(string version) => Found.Value.GetValueOrDefault(version);

    private static Dictionary<string, string> Look()
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var program in Places.Where(Directory.Exists).SelectMany(place => Directory.EnumerateFiles(place, "kubectl*").Order(StringComparer.Ordinal)))
        {
            if (VersionOf(program) is { } version)
            {
                found.TryAdd(version, program);
            }
        }

        return found;
    }

    /// <summary>Null for what is no kubectl, and for a dispatcher, which starts whichever version it likes.</summary>
    private static string? VersionOf(string program)
    {
        using var process = Process.Start(new ProcessStartInfo(program, ["version", "--client", "-o", "json"]) { RedirectStandardOutput = true, RedirectStandardError = true });
        if (process is null || !process.WaitForExit(TimeSpan.FromMinutes(2)))
        {
            process?.Kill();
            return null;
        }

        var version = process.ExitCode == 0 ? JsonNode.Parse(process.StandardOutput.ReadToEnd())?["clientVersion"] : null;
        return (string?)version?["gitVersion"] is { } full && !full.Contains("dispatcher", StringComparison.Ordinal)
            ? $"{version["major"]}.{((string?)version["minor"])?.TrimEnd('+')}"
            : null;
    }
}
