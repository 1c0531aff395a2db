using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Client;

namespace Godwit.Cli.Tests;

public sealed class PredictCommandTests : IAsyncLifetime
{
    private TestCluster cluster = null!;

    private static CancellationToken Stopping => TestCluster.Stopping;

    private ResourceClient<Forecast> Forecasts => cluster.Client.For<Forecast>();

    public async ValueTask InitializeAsync()
    {
        cluster = await TestCluster.StartAsync();
        await cluster.AddGuestAsync("tiny", "node-1");
    }

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    [Fact]
    public async Task All_modes_stand_beside_each_other_by_both_models_and_the_question_is_tidied_away()
    {
        var running = cluster.RunAsync("predict", "tiny", "--to", "node-2");
        var asked = await AskedAsync();
        Assert.Equal(("tiny", "node-2"), (asked.Spec.VmiName, asked.Spec.TargetNode));
        await Forecasts.ChangeStatusAsync(asked, asked with { Status = Answer() }, Stopping);
        var ran = await running;
        Assert.Equal((ExitCodes.Done, ""), (ran.ExitCode, ran.Error));
        Golden.Check("predict", ran.Output);
        Assert.Empty((await Forecasts.ListAsync(ListOptions.All, Stopping)).Items);
    }

    [Fact]
    public async Task Disks_that_go_along_are_told_beside_the_memory()
    {
        var running = cluster.RunAsync("predict", "tiny");
        var asked = await AskedAsync();
        var answer = Answer();
        await Forecasts.ChangeStatusAsync(asked, asked with { Status = answer with { Observed = answer.Observed! with { DiskBytes = 3L << 30, DiskWrittenBytesPerSecond = 1 << 20 } } }, Stopping);
        Assert.Contains("\ndisks 3 GiB to copy first, written at 1 MiB/s\n", (await running).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_forecast_that_failed_says_why()
    {
        var running = cluster.RunAsync("predict", "tiny", "--keep");
        var asked = await AskedAsync();
        await Forecasts.ChangeStatusAsync(asked, asked with { Status = new ForecastStatus { Phase = ForecastPhases.Failed, Reason = "no node could take tiny: node-2 has 100 MiB free" } }, Stopping);
        var ran = await running;
        Assert.Equal((ExitCodes.Failed, "error: No forecast for tiny: no node could take tiny: node-2 has 100 MiB free\n"), (ran.ExitCode, ran.Error));
        Assert.Single((await Forecasts.ListAsync(ListOptions.All, Stopping)).Items);
    }

    [Fact]
    public async Task A_forecast_that_nobody_answers_ends_by_its_bound()
    {
        var running = cluster.RunAsync("predict", "tiny", "--timeout", "10s");
        await AskedAsync();
        cluster.Clock.Advance(TimeSpan.FromSeconds(10));
        var ran = await running;
        Assert.Equal(ExitCodes.TimedOut, ran.ExitCode);
        Assert.Contains("No forecast within 10 s", ran.Error, StringComparison.Ordinal);
    }

    private static ForecastStatus Answer() => new()
    {
        Phase = ForecastPhases.Completed,
        SourceNode = "node-1",
        TargetNode = "node-2",
        Observed = new ForecastInputs { MemoryBytes = 256L << 20, NonZeroBytes = 98L << 20, DirtyBytesPerSecond = 120_000_000, LinkBytesPerSecond = 117_000_000 },
        Modes =
        [
            new ModeComparison
            {
                Mode = MigrationModes.Precopy,
                Textbook = new TextbookForecast { Converges = false },
                Forecast = new ModeForecast { TotalMs = Range(4000, 9000), DowntimeMs = Range(400, 900), Bytes = Range(400L << 20, 900L << 20), Confidence = 0.6, Converges = false },
                Reason = "does not converge: the guest rewrites 128 MiB faster than the link carries it",
            },
            new ModeComparison
            {
                Mode = MigrationModes.Postcopy,
                Textbook = new TextbookForecast { TotalMs = 2294.3, DowntimeMs = 60, Rounds = 0, Converges = true },
                Forecast = new ModeForecast { TotalMs = Range(1300, 1700), DowntimeMs = Range(20, 40), Bytes = Range(100L << 20, 110L << 20), Confidence = 0.9, Converges = true },
                Reason = "always converges: every page is sent once",
            },
        ],
        RecommendedMode = MigrationModes.Postcopy,
        Reason = "it is the only one that ends without slowing the guest",
    };

    private static ForecastRange Range(long low, long high) => new() { Low = low, High = high };

    private async Task<Forecast> AskedAsync()
    {
        while (true)
        {
            if ((await Forecasts.ListAsync(ListOptions.All, Stopping)).Items is [var forecast])
            {
                return forecast;
            }
        }
    }
}
