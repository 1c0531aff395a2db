using CsCheck;
using Godwit.Migration.Models;

namespace Godwit.Migration.Tests.Models;

public sealed class TextbookModelTests
{
    private const double GiB = 1L << 30;

    [Fact]
    public void Non_live_copy_stops_the_guest_for_the_whole_time()
    {
        var result = new TextbookModel { MemoryBytes = 4 * GiB, LinkBytesPerSecond = GiB / 2 }.NonLive();

        Assert.Equal(8, result.TotalSeconds, 9);
        Assert.Equal(8, result.DowntimeSeconds, 9);
    }

    [Fact]
    public void Worked_example_with_a_tenth_of_the_link_dirtied()
    {
        var result = Example(dirtyRatio: 0.1).Precopy();

        Assert.Equal(2, result.Rounds);
        Assert.Equal(0.089, result.DowntimeSeconds, 3);
        Assert.Equal((4 * GiB / 1.1e9 * 1.11) + 0.05, result.TotalSeconds, 6);
        Assert.False(result.Diverges);
    }

    [Fact]
    public void At_a_dirty_ratio_of_one_each_round_costs_as_much_as_the_first()
    {
        var result = (Example(dirtyRatio: 1) with { RoundsMax = 7 }).Precopy();

        Assert.Equal(7, result.Rounds);
        Assert.Equal((4 * GiB / 1.1e9 * 8) + 0.05, result.TotalSeconds, 6);
        Assert.Equal((4 * GiB / 1.1e9) + 0.05, result.DowntimeSeconds, 6);
        Assert.False(result.Diverges);
    }

    [Fact]
    public void Above_a_dirty_ratio_of_one_it_says_that_it_diverges()
    {
        var result = (Example(dirtyRatio: 1.5) with { RoundsMax = 4 }).Precopy();

        Assert.True(result.Diverges);
        Assert.Equal(4, result.Rounds);
        Assert.True(result.DowntimeSeconds > 4 * GiB / 1.1e9);
    }

    [Fact]
    public void A_guest_that_writes_nothing_is_down_for_the_restart_only()
    {
        var result = Example(dirtyRatio: 0).Precopy();

        Assert.Equal(0.05, result.DowntimeSeconds, 9);
        Assert.Equal((4 * GiB / 1.1e9) + 0.05, result.TotalSeconds, 9);
    }

    [Fact]
    public void A_threshold_of_all_memory_needs_no_round_and_is_stop_and_copy()
    {
        var result = (Example(dirtyRatio: 0.5) with { ThresholdBytes = 5 * GiB }).Precopy();

        Assert.Equal(0, result.Rounds);
        Assert.Equal((4 * GiB / 1.1e9) + 0.05, result.DowntimeSeconds, 9);
    }

    [Fact]
    public void The_number_of_rounds_is_the_smallest_that_reaches_the_threshold() =>
        Gen.Select(Gen.Double[0.01, 0.99], Gen.Double[0.001, 0.99]).Sample((ratio, share) =>
        {
            var rounds = TextbookModel.Rounds(ratio, share, int.MaxValue);
            return Math.Pow(ratio, rounds) <= share * (1 + 1e-6) && (rounds == 0 || Math.Pow(ratio, rounds - 1) > share * (1 - 1e-6));
        });

    [Fact]
    public void The_series_factor_is_the_sum_of_its_terms() =>
        Gen.Select(Gen.Double[0, 2], Gen.Int[0, 40]).Sample((ratio, rounds) =>
        {
            var sum = Enumerable.Range(0, rounds + 1).Sum(i => Math.Pow(ratio, i));
            return Math.Abs(TextbookModel.SeriesFactor(ratio, rounds) - sum) <= sum * 1e-6;
        });

    [Fact]
    public void More_writing_never_shortens_the_move() =>
        Gen.Select(Gen.Double[0, 0.9], Gen.Double[0, 0.09]).Sample((ratio, more) =>
            Example(ratio).Precopy().TotalSeconds <= Example(ratio + more).Precopy().TotalSeconds + 1e-9);

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    [InlineData(1, -1)]
    public void Impossible_inputs_are_refused(double memoryBytes, double linkBytesPerSecond) =>
        Assert.ThrowsAny<ArgumentOutOfRangeException>(() =>
            new TextbookModel { MemoryBytes = memoryBytes, LinkBytesPerSecond = linkBytesPerSecond }.Precopy());

    /// <summary>V = 4 GiB, R = 1.1 GB/s, a threshold of what the link carries in 300 ms, Tres = 50 ms.</summary>
    internal static TextbookModel Example(double dirtyRatio) => new()
    {
        MemoryBytes = 4 * GiB,
        LinkBytesPerSecond = 1.1e9,
        DirtyBytesPerSecond = dirtyRatio * 1.1e9,
        ThresholdBytes = 0.3 * 1.1e9,
        RestartSeconds = 0.05,
    };
}
