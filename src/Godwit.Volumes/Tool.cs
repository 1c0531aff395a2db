using System.Diagnostics;
using System.Text;

namespace Godwit.Volumes;

/// <summary>Runs a short-lived program of the host to its end: no shell, an own environment, bounded in time and in what it may say.</summary>
internal static class Tool
{
    private const int WordsMax = 2000;

    private static readonly string[] Folders = ["/usr/bin", "/usr/local/bin", "/bin"];

    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(5);

    /// <exception cref="VolumeException">Not installed, failed (with its own words), or not done in five minutes.</exception>
    public static async Task RunAsync(string program, string package, IReadOnlyList<string> arguments, TimeProvider clock, CancellationToken stopping)
    {
        var path = Folders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists)
            ?? throw new VolumeException($"{program} is not installed: install the package {package}.");
        var start = new ProcessStartInfo(path, arguments) { RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true };
        start.Environment.Clear();
        start.Environment["LC_ALL"] = "C";
        start.Environment["SOURCE_DATE_EPOCH"] = "0"; // What is made from the same input is the same, bit for bit.
        using var process = Process.Start(start) ?? throw new VolumeException($"{program} could not be started.");
        using var timeout = new CancellationTokenSource(Bound, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stopping);
        try
        {
            process.StandardInput.Close();
            var ignored = ReadBoundedAsync(process.StandardOutput, either.Token);
            var words = await ReadBoundedAsync(process.StandardError, either.Token);
            await ignored;
            await process.WaitForExitAsync(either.Token);
            if (process.ExitCode != 0)
            {
                throw new VolumeException($"{program} failed: {words.Trim()}");
            }
        }
        catch (OperationCanceledException late) when (!stopping.IsCancellationRequested)
        {
            throw new VolumeException($"{program} was not done after {Bound.TotalMinutes} minutes and was ended: is the disk stuck?", late);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    /// <summary>The end of what it says; the pipe is always emptied, so that it never waits for us.</summary>
    private static async Task<string> ReadBoundedAsync(StreamReader reader, CancellationToken stopping)
    {
        var words = new StringBuilder();
        var buffer = new char[1024];
        int read;
        while ((read = await reader.ReadAsync(buffer, stopping)) > 0)
        {
            words.Append(buffer, 0, read);
            if (words.Length > WordsMax)
            {
                words.Remove(0, words.Length - WordsMax);
            }
        }

        return words.ToString();
    }
}
