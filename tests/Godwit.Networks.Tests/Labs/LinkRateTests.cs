using CsCheck;
using Godwit.Networks.Labs;

namespace Godwit.Networks.Tests.Labs;

public sealed class LinkRateTests
{
    [Theory]
    [InlineData("1gbit", 1_000_000_000)]
    [InlineData("100mbit", 100_000_000)]
    [InlineData("2.5gbit", 2_500_000_000)]
    [InlineData("64kbit", 64_000)]
    [InlineData("none", 0)]
    public void A_rate_is_read_in_decimal_units(string text, long bits)
    {
        Assert.True(LinkRate.TryParse(text, out var rate));
        Assert.Equal(bits, rate.BitsPerSecond);
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("fast")]
    [InlineData("1")]
    [InlineData("-1gbit")]
    [InlineData("1e9gbit")]
    [InlineData("10kbit")]
    [InlineData("99999gbit")]
    [InlineData("1 gbit;reboot")]
    public void What_is_no_rate_is_refused(string? text) => Assert.False(LinkRate.TryParse(text, out _));

    [Fact]
    public void What_is_written_reads_back() =>
        Gen.Long[LinkRate.BitsPerSecondMin / 1000, LinkRate.BitsPerSecondMax / 1000].Select(kilobits => new LinkRate(kilobits * 1000))
            .Sample(rate => LinkRate.TryParse(rate.ToString(), out var read) && read == rate);
}
