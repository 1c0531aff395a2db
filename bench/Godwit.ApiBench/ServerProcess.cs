using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace Godwit.ApiBench;

/// <summary>The measured server, as a process of its own over a data folder, with a token of system:masters.</summary>
internal sealed class ServerProcess : IDisposable
{
    private const int Port = 16443;
    private const double ClockTicksPerSecond = 100; // The kernel's unit towards programs, whatever its own.

    private readonly Process process;

    private ServerProcess(Process process, string token)
    {
        this.process = process;
        Token = token;
    }

    public static Uri Url { get; } = new($"https://127.0.0.1:{Port}");

    public string Token { get; }

    /// <summary>From the start of the process until <c>/readyz</c> says yes.</summary>
    public TimeSpan ReadyAfter { get; private set; }

    /// <summary>Processor time of all its threads.</summary>
    public double CpuSeconds
    {
        get
        {
            var fields = File.ReadAllText($"/proc/{process.Id}/stat").Split(") ")[1].Split(' ');
            return (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) / ClockTicksPerSecond;
        }
    }

    public double ResidentMegabytes => ReadStatus("VmRSS:");

    /// <summary>The most that it ever had.</summary>
    public double PeakMegabytes => ReadStatus("VmHWM:");

    public static async Task<ServerProcess> StartAsync(string program, string data, CancellationToken stopping)
    {
        var token = PrepareToken(data);
        var started = Stopwatch.GetTimestamp();
        var launched = Process.Start(new ProcessStartInfo(program, ["server", "--data", data, "--listen", $"127.0.0.1:{Port}"]) { RedirectStandardError = true, RedirectStandardOutput = true })
            ?? throw new InvalidOperationException($"{program} could not be started.");
        launched.ErrorDataReceived += (_, line) => Console.Error.WriteLine(line.Data);
        launched.BeginErrorReadLine();
        launched.BeginOutputReadLine();
        var server = new ServerProcess(launched, token);
        await server.UntilReadyAsync(stopping);
        server.ReadyAfter = Stopwatch.GetElapsedTime(started);
        return server;
    }

    public void Dispose()
    {
        process.Kill();
        process.WaitForExit();
        process.Dispose();
    }

    private static string PrepareToken(string data)
    {
        var pki = Directory.CreateDirectory(Path.Combine(data, "server", "pki"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
        var file = Path.Combine(pki, "tokens.csv");
        if (!File.Exists(file))
        {
            File.WriteAllText(file, $"{RandomNumberGenerator.GetHexString(32)},bench,,\"system:masters\"\n");
        }

        return File.ReadAllText(file).Split(',')[0];
    }

    private async Task UntilReadyAsync(CancellationToken stopping)
    {
        using var client = new HttpClient(LoadClient.Handler()) { BaseAddress = Url };
        using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        for (var attempt = 0; attempt < 12_000 && !process.HasExited; attempt++)
        {
            try
            {
                using var response = await client.GetAsync("/readyz", stopping);
                if (response.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet: that is what is being measured.
            }

            await ticks.WaitForNextTickAsync(stopping);
        }

        throw new TimeoutException("The server did not become ready.");
    }

    private double ReadStatus(string name) =>
        double.Parse(File.ReadLines($"/proc/{process.Id}/status").Single(line => line.StartsWith(name, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) * 1024 / 1e6;
}
