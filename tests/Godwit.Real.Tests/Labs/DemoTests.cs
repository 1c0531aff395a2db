using System.Text.Json.Nodes;

namespace Godwit.Real.Tests.Labs;

/// <summary>What <c>./run --once -o json</c> prints as its last line, for programs to read.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class DemoTests(GodwitLab lab)
{
    [Fact]
    public async Task The_demonstration_moves_a_guest_and_prints_forecast_measurement_and_what_the_guest_says()
    {
        var ran = (await lab.GodwitAsync(TimeSpan.FromMinutes(5), "demo", "-o", "json", "--cleanup")).MustSucceed();

        var shown = JsonNode.Parse(ran.Output.TrimEnd('\n').Split('\n')[^1])!.AsObject();
        Assert.Equal(["vm", "mode", "from", "to", "forecast", "measured", "guest"], shown.Select(field => field.Key));
        Assert.Equal("demo", shown["vm"]!.GetValue<string>());
        Assert.Equal("auto", shown["mode"]!.GetValue<string>());
        Assert.Equal(GodwitLab.Nodes, new[] { shown["from"]!.GetValue<string>(), shown["to"]!.GetValue<string>() }.Order(StringComparer.Ordinal));
        foreach (var range in new[] { "totalMs", "downtimeMs" })
        {
            var pair = shown["forecast"]![range]!.AsArray();
            Assert.Equal(2, pair.Count);
            Assert.InRange(pair[1]!.GetValue<double>(), Math.Max(pair[0]!.GetValue<double>(), 0.001), double.MaxValue);
        }

        var measured = shown["measured"]!.AsObject();
        Assert.Equal(["totalMs", "downtimeMs", "pausedMs", "networkDowntimeMs", "bytes", "rounds"], measured.Select(field => field.Key));
        Assert.InRange(measured["totalMs"]!.GetValue<long>(), measured["pausedMs"]!.GetValue<long>(), long.MaxValue);
        Assert.True(measured["downtimeMs"]!.GetValue<long>() >= 0 && measured["networkDowntimeMs"]!.GetValue<long>() > 0, measured.ToJsonString());
        Assert.True(measured["bytes"]!.GetValue<long>() > 1 << 20 && measured["rounds"]!.GetValue<int>() > 0, measured.ToJsonString());
        Assert.Equal("""{"counterWentOn":true,"memoryIntact":true}""", shown["guest"]!.ToJsonString());
        Assert.Null(await lab.FindAsync("vm", "demo"));
    }
}
