using System.Diagnostics;

namespace Godwit.ContainerBench;

/// <summary>Programs that are run to their end, and what they are found by.</summary>
internal static class Tools
{
    /// <summary>The folder <c>bench</c>.</summary>
    public static string Folder { get; } = Find();

    /// <summary>Where the other engines are unpacked; see tools/container-engines.sh.</summary>
    public static string Engines { get; } = Environment.GetEnvironmentVariable("GODWIT_ENGINES") ?? "/var/cache/godwit/engines";

    public static string Script => Path.Combine(Folder, "tools", "container-engines.sh");

    /// <summary>Runs a command and returns its output.</summary>
    /// <exception cref="InvalidOperationException">It exited with another code than zero.</exception>
    public static async Task<string> RunAsync(ProcessStartInfo start, CancellationToken stopping)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.RedirectStandardInput = true;
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start.");
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(stopping);
        var errors = process.StandardError.ReadToEndAsync(stopping);
        await process.WaitForExitAsync(stopping);
        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"{start.FileName} {string.Join(' ', start.ArgumentList)} exited with {process.ExitCode}: {await output}{await errors}");
    }

    public static Task<string> RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken stopping) => RunAsync(new ProcessStartInfo(program, arguments), stopping);

    /// <summary>A program among those that were unpacked, in an engine's namespaces.</summary>
    public static ProcessStartInfo Inside(int holder, IReadOnlyList<string> command)
    {
        var start = new ProcessStartInfo("nsenter", ["-t", $"{holder}", "--mount", "--net", "--", .. command]);
        start.Environment["PATH"] = $"{Engines}/usr/sbin:{Engines}/usr/bin:{Engines}/sbin:{start.Environment["PATH"]}";
        start.Environment["LD_LIBRARY_PATH"] = $"{Engines}/usr/lib/x86_64-linux-gnu:{Engines}/lib/x86_64-linux-gnu";
        start.Environment["XTABLES_LIBDIR"] = $"{Engines}/usr/lib/x86_64-linux-gnu/xtables";
        return start;
    }

    private static string Find()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "bench", "tools", "container-engines.sh")))
            {
                return Path.Combine(folder, "bench");
            }
        }

        throw new InvalidOperationException("The folder bench/tools is not above this program.");
    }
}
