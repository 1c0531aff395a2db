using System.Diagnostics;

namespace Godwit.Simulation;

/// <summary>
/// Searches the model of the hand-over (<c>docs/models/handover.pml</c>) through with spin, for one guest, by pre-copy and by post-copy, and for two that are
/// one service. A mutation of the model that spin does not catch fails as a broken model does.
/// </summary>
[Trait("Needs", "spin")]
public sealed class ModelTests : IDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(8);

    /// <summary>Of assertions alone; never more memory than a small machine has.</summary>
    private static readonly string[] Safety = ["-DSAFETY", "-DNOCLAIM", "-DCOLLAPSE", "-DMEMLIM=2048"];

    /// <summary>Of the claim that all ends, with each process given its turn.</summary>
    private static readonly string[] Liveness = ["-DNFAIR=5", "-DCOLLAPSE", "-DMEMLIM=2048"];

    private readonly string folder = Directory.CreateTempSubdirectory("godwit-model-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("")]
    [InlineData("-DPOSTCOPY")]
    [InlineData("-DGROUP -DCRASHES=1")]
    public async Task No_state_that_the_hand_over_can_reach_breaks_an_invariant(string definitions)
    {
        var searched = await SearchAsync(definitions, Safety, []);

        Assert.True(searched.Contains("errors: 0", StringComparison.Ordinal) && !IsCut(searched), searched);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-DPOSTCOPY")]
    [InlineData("-DGROUP -DCRASHES=0")]
    public async Task Every_hand_over_ends_if_nobody_stands_still_for_ever(string definitions)
    {
        var searched = await SearchAsync(definitions, Liveness, ["-a", "-f", "-N", "ends"]);

        Assert.True(searched.Contains("errors: 0", StringComparison.Ordinal) && !IsCut(searched), searched);
    }

    [Theory]
    [InlineData("-DRUN_BEFORE_SENT")]
    [InlineData("-DRESUMES_ON_TIMEOUT")]
    [InlineData("-DRUNS_ON_ARRIVAL")]
    [InlineData("-DGRANT_NOT_RECORDED")]
    [InlineData("-DRESUMES_AFTER_CRASH")]
    [InlineData("-DPOSTCOPY -DSWITCHES_WHILE_RUNNING")]
    [InlineData("-DPOSTCOPY -DRECLAIMS_UNASKED")]
    [InlineData("-DPOSTCOPY -DRUNS_AFTER_LETTING_GO")]
    [InlineData("-DGROUP -DCRASHES=0 -DRETURNS_UNASKED")]
    [InlineData("-DGROUP -DCRASHES=0 -DOVERWRITES")]
    [InlineData("-DGROUP -DCRASHES=1 -DRUNS_AFTER_CRASH")]
    [InlineData("-DGROUP -DCRASHES=0 -DDECIDES_WITHOUT_ALL")]
    public async Task A_hand_over_that_is_got_wrong_is_caught(string definitions)
    {
        var searched = await SearchAsync(definitions, Safety, []);

        Assert.Contains("assertion violated", searched, StringComparison.Ordinal);
    }

    /// <summary>A search that ended for want of depth or memory has shown nothing.</summary>
    private static bool IsCut(string searched) =>
        searched.Contains("max search depth too small", StringComparison.Ordinal) || searched.Contains("out of memory", StringComparison.Ordinal)
        || searched.Contains("Search not completed", StringComparison.Ordinal);

    private async Task<string> SearchAsync(string definitions, string[] compiling, string[] searching)
    {
        Assert.SkipUnless(IsInstalled("spin") && IsInstalled("gcc"), "spin or gcc is missing, so the model is not searched: eng/setup.sh test installs both");
        await RunAsync("spin", [.. definitions.Split(' ', StringSplitOptions.RemoveEmptyEntries), "-a", Path.Combine(Sources.Root, "docs", "models", "handover.pml")]);
        await RunAsync("gcc", ["-O2", "-w", .. compiling, "-o", "pan", "pan.c"]);
        return await RunAsync(Path.Combine(folder, "pan"), ["-E", "-m1000000", .. searching]);
    }

    private async Task<string> RunAsync(string program, string[] arguments)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        bound.CancelAfter(Bound);
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            var errors = process.StandardError.ReadToEndAsync(bound.Token);
            var words = await process.StandardOutput.ReadToEndAsync(bound.Token) + await errors;
            await process.WaitForExitAsync(bound.Token);
            Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {words}");
            return words;
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    private static bool IsInstalled(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(place => File.Exists(Path.Combine(place, program)));
}
