using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Godwit.Networks.Labs;

namespace Godwit.MoveBench;

/// <summary>Every system moves every guest over every link, in turns.</summary>
internal static class Matrix
{
    /// <summary>What the target's memory, the translation buffer and QEMU itself will touch, and some room.</summary>
    private const int HolderMiB = Writer.MemoryMiB + 256;
    private static readonly TimeSpan Boot = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Around = TimeSpan.FromMilliseconds(700);

    public static async Task<IReadOnlyList<MoveResult>> RunAsync(BenchSetup setup, Action<string> say, CancellationToken stopping)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(setup.RecordPath)!);
        await using var stage = await Stage.BuildAsync(stopping);
        await using var holder = await Holder.StartAsync(HolderMiB, stopping);
        var results = new List<MoveResult>();
        foreach (var writer in setup.Writers)
        {
            for (var run = 0; run < setup.Runs; run++)
            {
                // In turns, and one system's guest at a time: two would share the processors.
                foreach (var name in setup.Systems)
                {
                    await using var system = await StartSystemAsync(name, stage, setup, stopping);
                    foreach (var result in await MeasureAsync(system, writer, holder, setup.Links, stopping))
                    {
                        results.Add(result);
                        await File.AppendAllTextAsync(setup.RecordPath, JsonSerializer.Serialize(result, ResultJson.Default.MoveResult) + "\n", stopping);
                        say(Table.Line(result));
                    }
                }
            }
        }

        return results;
    }

    private static async Task<IMovingSystem> StartSystemAsync(string name, Stage stage, BenchSetup setup, CancellationToken stopping) => name.Split(':') switch
    {
        ["qemu"] => new QemuSystem(stage, setup),
        ["libvirt"] => await LibvirtSystem.StartHostsAsync(stage, setup, stopping),
        ["godwit"] => await GodwitSystem.StartLabAsync(setup, "auto", transport: null, stopping),
        ["godwit", var mode] => await GodwitSystem.StartLabAsync(setup, mode, transport: null, stopping),
        ["godwit", var mode, var transport] => await GodwitSystem.StartLabAsync(setup, mode, transport, stopping),
        _ => throw new ArgumentException($"'{name}' is no system: qemu, libvirt, godwit, godwit:MODE, or godwit:MODE:TRANSPORT"),
    };

    private static async Task<IReadOnlyList<MoveResult>> MeasureAsync(IMovingSystem system, Writer writer, Holder holder, IReadOnlyList<LinkRate> links, CancellationToken stopping)
    {
        system.SetRate(LinkRate.Unlimited);
        await system.StartAsync(writer, stopping);
        await WaitForGuestAsync(system, stopping);
        await Task.Delay(Calm, TimeProvider.System, stopping);

        // One move that does not count, so that every measured source is itself a guest that was moved.
        await MoveAsync(system, holder, writer, links[0], stopping);
        var results = new List<MoveResult>();
        foreach (var link in links)
        {
            results.Add(await MoveAsync(system, holder, writer, link, stopping));
        }

        await system.StopAsync(stopping);
        return results;
    }

    private static async Task WaitForGuestAsync(IMovingSystem system, CancellationToken stopping)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(1) };
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await client.GetStringAsync(new Uri($"http://{system.Guest}/counter"), stopping);
                return;
            }
            catch (Exception error) when (error is HttpRequestException or TaskCanceledException && clock.Elapsed < Boot)
            {
                // Not up yet.
            }
        }
    }

    private static async Task<MoveResult> MoveAsync(IMovingSystem system, Holder holder, Writer writer, LinkRate link, CancellationToken stopping)
    {
        var load = double.Parse((await File.ReadAllTextAsync("/proc/loadavg", stopping)).Split(' ')[0], CultureInfo.InvariantCulture);
        await holder.ReleaseAsync(stopping);
        await system.PrepareAsync(stopping);
        using var prober = await Prober.StartAsync(system.Guest, stopping);
        await Task.Delay(Around, TimeProvider.System, stopping);
        system.SetRate(link);
        var sentBytes = system.SourceCounter();
        var before = sentBytes();
        var clock = Stopwatch.StartNew();
        var own = await system.MoveAsync(stopping);
        var seconds = clock.Elapsed.TotalSeconds;
        await Task.Delay(Around, TimeProvider.System, stopping);
        var gaps = await prober.FinishAsync(stopping);
        system.SetRate(LinkRate.Unlimited);
        await system.SettleAsync(stopping);
        await holder.TakeAsync(stopping);
        return new MoveResult
        {
            System = system.Name,
            Link = link.ToString(),
            Writer = writer.Name,
            Succeeded = own.Succeeded,
            CommandSeconds = seconds,
            OwnTotalSeconds = own.TotalSeconds,
            StreamSeconds = own.StreamSeconds,
            OwnDowntimeMs = own.DowntimeMs,
            GapKernelMs = gaps.KernelMs,
            GapUserMs = gaps.UserMs,
            WireBytes = sentBytes() - before,
            LoadAverage = load,
            Remark = own.Remark,
        };
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(MoveResult))]
internal sealed partial class ResultJson : JsonSerializerContext;
