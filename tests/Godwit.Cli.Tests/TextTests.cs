using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Cli.Commands;
using Godwit.Cli.Output;

namespace Godwit.Cli.Tests;

public sealed class TextTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "0.98 KiB")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(187_654_321, "179 MiB")]
    [InlineData(4L << 30, "4 GiB")]
    [InlineData(long.MaxValue, "8 EiB")]
    public void Bytes_have_three_figures_and_a_binary_unit(long bytes, string text) => Assert.Equal(text, Human.Bytes(bytes));

    [Theory]
    [InlineData(0, "0 ms")]
    [InlineData(31.4, "31.4 ms")]
    [InlineData(1420, "1.42 s")]
    [InlineData(119_000, "119 s")]
    [InlineData(150_000, "2.5 min")]
    [InlineData(9_000_000, "2.5 h")]
    public void Times_have_three_figures_and_the_unit_that_fits(double ms, string text) => Assert.Equal(text, Human.Milliseconds((double?)ms));

    [Theory]
    [InlineData(1200, 1900, "1.2–1.9 s")]
    [InlineData(800, 1900, "800 ms – 1.9 s")]
    [InlineData(20, 20, "20 ms")]
    public void Ranges_name_a_unit_once_where_both_ends_share_it(long low, long high, string text) =>
        Assert.Equal(text, Human.Milliseconds(new ForecastRange { Low = low, High = high }));

    [Theory]
    [InlineData("tinny", "tiny")]
    [InlineData("tin", "tiny")]
    [InlineData("wbe-server", "web-server")]
    [InlineData("zebra", null)]
    public void The_nearest_name_is_suggested_only_where_it_is_near(string typed, string? meant) =>
        Assert.Equal(meant, NearestName.Of(typed, ["tiny", "web-server", "database"]));

    [Fact]
    public void Edit_distance_is_symmetric_and_zero_only_for_the_same() =>
        Gen.Select(Gen.String[Gen.Char['a', 'c'], 0, 6], Gen.String[Gen.Char['a', 'c'], 0, 6]).Sample((one, other) =>
        {
            var distance = NearestName.Distance(one, other);
            Assert.Equal(distance, NearestName.Distance(other, one));
            Assert.Equal(one == other, distance == 0);
            Assert.InRange(distance, Math.Abs(one.Length - other.Length), Math.Max(one.Length, other.Length));
        });

    [Theory]
    [InlineData("300ms", 300)]
    [InlineData("90s", 90_000)]
    [InlineData("1.5m", 90_000)]
    [InlineData("2h", 7_200_000)]
    public void Durations_are_a_number_and_a_unit(string text, double ms)
    {
        Assert.True(Arguments.TryReadDuration(text, out var duration));
        Assert.Equal(ms, duration.TotalMilliseconds);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("-5s")]
    [InlineData("s")]
    [InlineData("0s")]
    [InlineData("1e9h")]
    [InlineData("99999h")]
    [InlineData("5 s")]
    public void Other_text_is_no_duration(string text) => Assert.False(Arguments.TryReadDuration(text, out _));

    [Fact]
    public void Yaml_gives_back_the_json_that_it_was_written_from()
    {
        var text = Gen.OneOf("", "plain", "true", "No", "1", "1.5", "0x1f", "null", "~", "a: b", "- x", "#no", "two\nlines\n", "trailing ", "\ttab", "'quoted'", "\"q\"", "ü", "a\\b", "2026-01-31T12:00:00Z");
        var leaf = Gen.OneOf(
            text.Select(value => (JsonNode?)JsonValue.Create(value)),
            Gen.Int.Select(value => (JsonNode?)JsonValue.Create(value)),
            Gen.Bool.Select(value => (JsonNode?)JsonValue.Create(value)),
            Gen.Const((JsonNode?)null));
        var list = leaf.Array[0, 3].Select(items => (JsonNode?)new JsonArray(items.Select(item => item?.DeepClone()).ToArray()));
        var map = Gen.Select(Gen.OneOf("a", "b/c", "d.e", "on", "1"), Gen.OneOf(leaf, list)).Array[0, 4]
            .Select(pairs => new JsonObject(pairs.DistinctBy(pair => pair.Item1).Select(pair => KeyValuePair.Create(pair.Item1, pair.Item2?.DeepClone()))));
        map.Sample(json =>
        {
            var read = Yaml.ToJson(YamlText.Of(json));
            Assert.True(JsonNode.DeepEquals(json, read), $"{json.ToJsonString()} came back as {read.ToJsonString()} from\n{YamlText.Of(json)}");
        });
    }
}
