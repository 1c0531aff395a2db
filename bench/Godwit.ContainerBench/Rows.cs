using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Godwit.ContainerBench;

/// <summary>One thing that is measured of each engine.</summary>
/// <param name="Name">What is done.</param>
/// <param name="Unit">Of the values.</param>
/// <param name="Expected">The ratio to dockerd that is to be reached; 0 where nothing more is asked than to be no slower.</param>
/// <param name="Rounds">How often, at the usual scale.</param>
/// <param name="MeasureAsync">Null: the engine has no such thing.</param>
internal sealed record Row(string Name, string Unit, double Expected, int Rounds, Func<Engine, CancellationToken, Task<double?>> MeasureAsync)
{
    public bool HigherIsBetter { get; init; }
}

/// <summary>All rows, in an order in which the ones before disturb the ones after least.</summary>
internal static partial class Rows
{
    private const int Lines = 1_000_000;
    private const int InParallel = 20;
    private static int count;

    public static IReadOnlyList<Row> All(Stage stage) =>
    [
        new("engine start to first answer", "ms", 0.1, 5, RestartAsync),
        new("idle memory right after start", "MB", 0.25, 1, async (engine, _) => await Task.FromResult(engine.ResidentBytes() / 1e6)),
        new("of it no file's pages (RssAnon)", "MB", 0.25, 1, async (engine, _) => await Task.FromResult(engine.ResidentBytes("RssAnon") / 1e6)),
        new("the client alone (version)", "ms", 0, 15, async (engine, stopping) => await engine.TimeAsync(stopping, "version")),
        new("run --rm", "ms", 0.4, 15, async (engine, stopping) => await engine.TimeAsync(stopping, "run", "--rm", Stage.Tiny, "true")),
        new("run --rm --network none", "ms", 0.4, 10, async (engine, stopping) => await engine.TimeAsync(stopping, "run", "--rm", "--network", "none", Stage.Tiny, "true")),
        new("run -d, then rm -f", "ms", 0, 10, RunAndRemoveAsync),
        new("exec", "ms", 0.5, 15, WithSleeper(async (engine, name, stopping) => await engine.TimeAsync(stopping, "exec", name, "true"))),
        new($"{InParallel} run -d in parallel", "ms", 0.4, 5, InParallelAsync),
        new("pull and unpack", "ms", 0.5, Stage.Bigs, PullAsync),
        new("build of 5 steps, cold", "ms", 0, 5, async (engine, stopping) => await engine.TimeAsync(stopping, "build", "--no-cache", "-t", "bench-built", stage.BuildFolder)),
        new("build of 5 steps, warm", "ms", 0, 8, async (engine, stopping) => await engine.TimeAsync(stopping, "build", "-t", "bench-built", stage.BuildFolder)),
        new("a million log lines, printed", "ms", 0, 3, (engine, stopping) => LogAsync(engine, read: false, stopping)),
        new("a million log lines, read back", "ms", 0.15, 3, (engine, stopping) => LogAsync(engine, read: true, stopping)),
        new("HTTP through a published port on loopback", "requests/s", 2.5, 5, (engine, stopping) => HttpAsync(engine, isPublished: true, stopping)) { HigherIsBetter = true },
        new("HTTP to the container's own address", "requests/s", 0, 5, (engine, stopping) => HttpAsync(engine, isPublished: false, stopping)) { HigherIsBetter = true },
        new("HTTP to the same server without an engine", "requests/s", 0, 5, (engine, stopping) => HttpWithoutAsync(stage, engine, stopping)) { HigherIsBetter = true },
        new("memory after all this", "MB", 0, 1, async (engine, _) => await Task.FromResult(engine.ResidentBytes() / 1e6)),
    ];

    private static async Task<double?> RestartAsync(Engine engine, CancellationToken stopping)
    {
        await engine.StopAsync(stopping);
        return (await engine.StartAsync(stopping))?.TotalMilliseconds;
    }

    private static async Task<double?> RunAndRemoveAsync(Engine engine, CancellationToken stopping)
    {
        var name = NextName();
        return await engine.TimeAsync(stopping, "run", "-d", "--name", name, Stage.Tiny, "sleep", "1000") + await engine.TimeAsync(stopping, [.. engine.RemoveNow, name]);
    }

    private static Func<Engine, CancellationToken, Task<double?>> WithSleeper(Func<Engine, string, CancellationToken, Task<double>> measureAsync) => async (engine, stopping) =>
    {
        var name = NextName();
        await engine.RunAsync(stopping, "run", "-d", "--name", name, Stage.Tiny, "sleep", "1000");
        var value = await measureAsync(engine, name, stopping);
        await engine.RunAsync(stopping, [.. engine.RemoveNow, name]);
        return value;
    };

    private static async Task<double?> InParallelAsync(Engine engine, CancellationToken stopping)
    {
        var names = Enumerable.Range(0, InParallel).Select(_ => NextName()).ToArray();
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(names.Select(name => engine.RunAsync(stopping, "run", "-d", "--name", name, Stage.Tiny, "sleep", "1000")));
        var value = clock.Elapsed.TotalMilliseconds;
        await engine.RunAsync(stopping, [.. engine.RemoveNow, .. names]);
        return value;
    }

    // Each of an engine's pulls in one run is of another image.
    private static async Task<double?> PullAsync(Engine engine, CancellationToken stopping) =>
        await engine.TimeAsync(stopping, ["pull", .. engine.PlainRegistry, Stage.Big(engine.NextBig())]);

    private static async Task<double?> LogAsync(Engine engine, bool read, CancellationToken stopping)
    {
        var name = NextName();
        var clock = Stopwatch.StartNew();
        await engine.RunAsync(stopping, "run", "-d", "--name", name, Stage.Tiny, "seq", "1", $"{Lines}");
        await engine.RunAsync(stopping, "wait", name);
        var value = clock.Elapsed.TotalMilliseconds;
        if (read)
        {
            value = await engine.TimeAsync(stopping, "logs", name);
            var last = (await engine.RunAsync(stopping, "logs", "--tail", "1", name)).Trim();
            if (last != $"{Lines}")
            {
                throw new InvalidOperationException($"The last line that {engine.Name} kept is {last}.");
            }
        }

        await engine.RunAsync(stopping, [.. engine.RemoveNow, name]);
        return value;
    }

    private static async Task<double?> HttpAsync(Engine engine, bool isPublished, CancellationToken stopping)
    {
        var name = NextName();
        await engine.RunAsync(stopping, "run", "-d", "--name", name, "-p", "127.0.0.1:8090:80", Stage.Tiny, "responder", "80");
        var address = isPublished ? "127.0.0.1:8090" : (await engine.RunAsync(stopping, "inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)).Trim();
        var rate = await LoadAsync(engine, $"http://{address}/page", stopping);
        await engine.RunAsync(stopping, [.. engine.RemoveNow, name]);
        return rate;
    }

    /// <summary>What the client and the host's loopback give at most: the server is a process of the engine's host, the engine has nothing to do with it.</summary>
    private static async Task<double?> HttpWithoutAsync(Stage stage, Engine engine, CancellationToken stopping)
    {
        using var server = Process.Start(Tools.Inside(engine.Holder, [stage.ResponderPath, "8091"]))!;
        try
        {
            return await LoadAsync(engine, "http://127.0.0.1:8091/page", stopping);
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync(CancellationToken.None);
        }
    }

    /// <summary>Requests a second, from the engine's host, each with a connection of its own. The client has two threads: with one, it and not the way would be at its end.</summary>
    private static async Task<double> LoadAsync(Engine engine, string page, CancellationToken stopping)
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        for (var looks = 0; ; looks++)
        {
            try
            {
                await Tools.RunAsync(Tools.Inside(engine.Holder, ["busybox", "wget", "-q", "-O", "/dev/null", page]), stopping);
                break;
            }
            catch (InvalidOperationException) when (looks < 100)
            {
                await look.WaitForNextTickAsync(stopping); // The server is not up yet.
            }
        }

        var report = await Tools.RunAsync(Tools.Inside(engine.Holder, ["wrk", "-t", "2", "-c", "8", "-d", "3s", "-H", "Connection: close", page]), stopping);
        if (!Rate().IsMatch(report) || report.Contains("Socket errors", StringComparison.Ordinal) || report.Contains("Non-2xx", StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"Not every request to {engine.Name} was answered:\n{report}");
        }

        return double.Parse(Rate().Match(report).Groups["rate"].Value, CultureInfo.InvariantCulture);
    }

    private static string NextName() => string.Create(CultureInfo.InvariantCulture, $"bench-{Environment.ProcessId}-{Interlocked.Increment(ref count)}");

    [GeneratedRegex(@"Requests/sec:\s+(?<rate>[\d.]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Rate();
}
