using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Godwit.Linux.Commands;

namespace Godwit.HandoverBench;

/// <summary>From where the guest is looked at: a network namespace, or (null) this host's own.</summary>
internal sealed record Place(string Name, string? Namespace);

/// <summary>What one place saw of one move, in milliseconds. <paramref name="PausedMs"/> is how long no CPU of the guest ran, in the agents' words.</summary>
internal sealed record Handover(int Turn, string Place, double PausedMs, double KernelMs, double UserMs, double ConnectionMs, bool ConnectionLives)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Place}: paused {PausedMs:0}, silent {KernelMs:0} (ICMP), {UserMs:0} (UDP), {ConnectionMs:0} (TCP{(ConnectionLives ? "" : ", broken")})");
}

/// <summary>Probes each 5 ms during a move, and one TCP connection over all moves, with a request each 5 ms; see bench/tools.</summary>
internal sealed class Observer : IDisposable
{
    private const string IntervalMs = "5";

    /// <summary>A silence counts when it is over: none after a move lasts for as long as this.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(600);

    private static readonly string Folder = Directory.CreateTempSubdirectory("godwit-handover-bench-").FullName;

    private readonly Place place;
    private readonly IPAddress guest;
    private readonly Process caller;
    private Process? prober;

    private Observer(Place place, IPAddress guest, Process caller)
    {
        this.place = place;
        this.guest = guest;
        this.caller = caller;
    }

    public static async Task<Observer> StartAsync(Place place, IPAddress guest, CancellationToken stopping) =>
        new(place, guest, Start(place, await CompileAsync("caller", stopping), guest));

    public async Task BeginAsync(CancellationToken stopping)
    {
        await AskCallerAsync(stopping); // What was before does not count.
        prober = Start(place, await CompileAsync("prober", stopping), guest);
    }

    public async Task<Handover> EndAsync(int turn, double pausedMs, CancellationToken stopping)
    {
        await Task.Delay(Settling, TimeProvider.System, stopping);
        prober!.StandardInput.Close();
        var probes = JsonNode.Parse(await prober.StandardOutput.ReadToEndAsync(stopping))!;
        prober.Dispose();
        prober = null;
        var connection = await AskCallerAsync(stopping);
        return new(turn, place.Name, pausedMs, Gap(probes["icmp"]!, "replies"), Gap(probes["udp"]!, "replies"), Gap(connection, "answers"), (bool)connection["alive"]!);
    }

    public void Dispose()
    {
        foreach (var process in new[] { caller, prober }.OfType<Process>())
        {
            if (!process.HasExited)
            {
                process.Kill();
            }

            process.Dispose();
        }
    }

    private async Task<JsonNode> AskCallerAsync(CancellationToken stopping)
    {
        await caller.StandardInput.WriteLineAsync("now".AsMemory(), stopping);
        await caller.StandardInput.FlushAsync(stopping);
        return JsonNode.Parse(await caller.StandardOutput.ReadLineAsync(stopping) ?? throw new InvalidOperationException($"The caller in {place.Name} has ended."))!;
    }

    private static Process Start(Place place, string program, IPAddress guest)
    {
        string[] line = place.Namespace is { } name ? ["ip", "netns", "exec", name, program, guest.ToString(), IntervalMs] : [program, guest.ToString(), IntervalMs];
        return Process.Start(new ProcessStartInfo(line[0], line[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true })
            ?? throw new InvalidOperationException($"{program} did not start.");
    }

    private static async Task<string> CompileAsync(string name, CancellationToken stopping)
    {
        var output = Path.Combine(Folder, name);
        if (!File.Exists(output))
        {
            await new Command("gcc", "-O2", "-static", "-o", output, Path.Combine(ToolsFolder(), $"{name}.c")).RunAsync(TimeProvider.System, stopping);
        }

        return output;
    }

    private static string ToolsFolder()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "bench", "tools", "caller.c")))
            {
                return Path.Combine(folder, "bench", "tools");
            }
        }

        throw new InvalidOperationException("The folder bench/tools is not above this program.");
    }

    /// <summary>A guest that never answered has no gap: it was never there.</summary>
    private static double Gap(JsonNode seen, string count) => (long)seen[count]! > 0 ? (double)seen["gapMs"]! : double.NaN;
}
