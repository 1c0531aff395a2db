using System.Globalization;
using CsCheck;

namespace Godwit.Base.Tests;

public sealed class QuantityTests
{
    [Theory]
    [InlineData("0", "0")]
    [InlineData("512Mi", "512Mi")]
    [InlineData("1024Mi", "1Gi")]
    [InlineData("0.5Gi", "512Mi")]
    [InlineData("1.5Gi", "1536Mi")]
    [InlineData("1000", "1k")]
    [InlineData("1500m", "1500m")]
    [InlineData("2000m", "2")]
    [InlineData("0.1", "100m")]
    [InlineData("1e3", "1e3")]
    [InlineData("12e4", "120e3")]
    [InlineData("1E", "1E")]
    [InlineData("1E2", "100")]
    [InlineData("+5", "5")]
    [InlineData("-1.5", "-1500m")]
    [InlineData("1.", "1")]
    [InlineData(".5", "500m")]
    [InlineData("100Ki", "100Ki")]
    [InlineData("0.5Ki", "512")]
    [InlineData("1.0001Ki", "1024102400u")]
    [InlineData("0.1n", "1n")]
    [InlineData("9223372036854775807", "9223372036854775807")]
    public void Canonical_form_is_that_of_kubernetes(string text, string canonical) =>
        Assert.Equal(canonical, Quantity.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("1 ")]
    [InlineData("1 Gi")]
    [InlineData("Gi")]
    [InlineData("1GiB")]
    [InlineData("1mi")]
    [InlineData("1ki")]
    [InlineData("1K")]
    [InlineData("--1")]
    [InlineData("1.2.3")]
    [InlineData("1e")]
    [InlineData("1e99999")]
    [InlineData("0x10")]
    [InlineData("1,000")]
    [InlineData("9223372036854775808")]
    [InlineData("1000E")]
    [InlineData("NaN")]
    public void What_is_no_quantity_is_refused(string text)
    {
        Assert.False(Quantity.TryParse(text, out _));
        Assert.Throws<FormatException>(() => Quantity.Parse(text));
    }

    [Fact]
    public void Counting_a_need_rounds_up()
    {
        Assert.Equal(1, Quantity.Parse("100m").ToInt64());
        Assert.Equal(1, Quantity.Parse("1n").ToMilli());
        Assert.Equal(2500, Quantity.Parse("2.5").ToMilli());
    }

    [Fact]
    public void Canonical_form_is_stable_and_keeps_the_value() =>
        Texts.Sample(text =>
        {
            var quantity = Quantity.Parse(text);
            var canonical = quantity.ToString();
            var again = Quantity.Parse(canonical);
            Assert.Equal(quantity, again);
            Assert.Equal(canonical, again.ToString());
        });

    [Fact]
    public void Order_is_the_order_of_the_values() =>
        Gen.Select(Texts, Texts).Sample((left, right) =>
        {
            var (a, b) = (Quantity.Parse(left), Quantity.Parse(right));
            Assert.Equal(a.CompareTo(b), -b.CompareTo(a));
            Assert.Equal(a < b, !(a >= b));
            Assert.Equal(a == b, a.CompareTo(b) == 0);
            if (a == b)
            {
                Assert.Equal(a.GetHashCode(), b.GetHashCode());
            }
        });

    [Fact]
    public void Any_text_is_parsed_or_refused_without_an_exception() =>
        Gen.String[Gen.Char["0123456789.eE+-KMGTPmunki "], 0, 70].Sample(text =>
        {
            _ = Quantity.TryParse(text, out _);
        });

    private static readonly Gen<string> Suffixes = Gen.OneOf(new[] { "", "m", "u", "n", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-3" }.Select(Gen.Const).ToArray());

    private static Gen<string> Texts =>
        Gen.Select(Gen.Long[-4_000_000_000, 4_000_000_000], Gen.Int[0, 999], Suffixes)
            .Select((whole, part, suffix) => string.Create(CultureInfo.InvariantCulture, $"{whole}.{part:000}{suffix}"));
}
