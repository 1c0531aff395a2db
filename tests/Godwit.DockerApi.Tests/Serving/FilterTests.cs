using CsCheck;
using Godwit.DockerApi.Serving;

namespace Godwit.DockerApi.Tests.Serving;

public sealed class FilterTests
{
    [Theory]
    [InlineData("""{"label":{"a=b":true,"c":true,"d":false}}""")]
    [InlineData("""{"label":["a=b","c"]}""")]
    public void Both_forms_that_clients_send_mean_the_same(string text)
    {
        var filters = Filters.Parse(text).Allow("label");
        Assert.Equal(["a=b", "c"], filters["label"]);
        Assert.True(filters.FitsLabels(new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "b", ["c"] = "" }));
        Assert.False(filters.FitsLabels(new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "x", ["c"] = "" }));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{\"a\":1}")]
    [InlineData("{\"a\":[[]]}")]
    [InlineData("nonsense")]
    public void What_is_no_filter_is_refused(string text) => Assert.Equal(400, Assert.Throws<DockerException>(() => Filters.Parse(text)).Status);

    [Fact]
    public void An_unknown_filter_is_refused_by_its_name() =>
        Assert.Contains("'color'", Assert.Throws<DockerException>(() => Filters.Parse("""{"color":["red"]}""").Allow("label")).Message, StringComparison.Ordinal);

    [Fact]
    public void Whatever_text_comes_is_a_filter_or_refused() => Gen.String.Sample(text =>
    {
        try
        {
            Filters.Parse(text);
        }
        catch (DockerException refusal)
        {
            Assert.Equal(400, refusal.Status);
        }
    });

    [Theory]
    [InlineData("1700000000", "2023-11-14T22:13:20Z")]
    [InlineData("1700000000.5", "2023-11-14T22:13:20.5Z")]
    [InlineData("2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z")]
    [InlineData("1h30m", "2025-12-31T22:30:00Z")]
    [InlineData("10s", "2025-12-31T23:59:50Z")]
    public void Moments_are_read_in_all_forms_that_clients_send(string text, string moment) =>
        Assert.Equal(moment, Moments.Write(Moments.ParseAgo("since", text, new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))));

    [Fact]
    public void Whatever_text_comes_is_a_moment_or_refused() => Gen.OneOf(Gen.String, Gen.String["0123456789.hms-"]).Sample(text =>
    {
        try
        {
            Moments.ParseAgo("since", text, new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        }
        catch (DockerException refusal)
        {
            Assert.Equal(400, refusal.Status);
        }
    });
}
