using CsCheck;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Protocol;

public sealed class ServiceStartTests
{
    [Theory]
    [InlineData(20, new[] { 1.0 }, true)] // The longest waits for nobody.
    [InlineData(1, new[] { 20.0 }, false)]
    [InlineData(1, new[] { 2.1 }, false)]
    [InlineData(1, new[] { 2.0 }, true)] // It takes as long itself, and a second.
    [InlineData(1, new[] { 0, 2.1 }, false)]
    [InlineData(1, new[] { 1, 0.5, 1.9 }, true)] // Alike: all at once.
    [InlineData(1, new double[0], true)]
    public void One_begins_when_no_other_needs_longer_than_it_does_itself(double takes, double[] others, bool isDue)
    {
        foreach (var isTold in (bool[])[true, false])
        {
            Assert.Equal(isDue, ServiceStart.IsDue(Interval.Exactly(takes), others.Select(left => new ServiceMoveLeft(Interval.Exactly(left), isTold))));
        }
    }

    [Fact]
    public void One_of_which_nothing_is_known_begins_at_once() =>
        Assert.True(ServiceStart.IsDue(null, [new(Interval.Exactly(20), IsTold: true)]));

    /// <summary>A link that was never measured: 64 MiB in 0.1 to 7 s, 512 MiB in 0.6 to 56 s. It turns out that the large one takes 8 s.</summary>
    [Fact]
    public void Forecasts_that_know_little_still_tell_which_is_the_longer_and_what_is_told_tells_when()
    {
        var (small, large) = (new Interval(0.1, 7), new Interval(0.6, 56));
        Assert.False(ServiceStart.IsDue(small, [new(large, IsTold: false)]));
        Assert.True(ServiceStart.IsDue(large, [new(small, IsTold: false)]));
        Assert.False(ServiceStart.IsDue(small, [new(new(7, 9), IsTold: true)])); // It may take 0.1 s only, and would wait for 8 s.
        Assert.True(ServiceStart.IsDue(small, [new(new(0.5, 1.5), IsTold: true)]));
    }

    /// <summary>However large they are, all begin, one of them at once, and if the forecasts hold all arrive within what they may begin too early.</summary>
    [Fact]
    public void Every_service_begins_whole_and_arrives_together_when_the_forecasts_hold() => Gen.Double[0.1, 100].Array[1, 6].Sample(takes =>
    {
        const double Step = 0.1;
        var beganAt = new double?[takes.Length];
        for (var now = 0.0; Array.Exists(beganAt, at => at is null); now += Step)
        {
            Assert.True(now < 200, "One of them never began.");
            for (var i = 0; i < takes.Length; i++)
            {
                if (beganAt[i] is null && ServiceStart.IsDue(Interval.Exactly(takes[i]), OthersAt(i, now)))
                {
                    beganAt[i] = now;
                }
            }
        }

        var ends = takes.Zip(beganAt, (total, at) => at!.Value + total).ToList();
        Assert.Contains(0.0, beganAt.Select(at => at!.Value));
        Assert.True(ends.Max() - ends.Min() <= ServiceStart.EarlySecondsMax + (2 * Step), $"{string.Join(", ", takes)} ended at {string.Join(", ", ends)}.");

        List<ServiceMoveLeft> OthersAt(int index, double now) =>
            [.. takes.Select((total, other) => beganAt[other] is { } at ? new ServiceMoveLeft(Interval.Exactly(Math.Max(0, at + total - now)), IsTold: true) : new(Interval.Exactly(total), IsTold: false))
                .Where((_, other) => other != index)];
    });
}
