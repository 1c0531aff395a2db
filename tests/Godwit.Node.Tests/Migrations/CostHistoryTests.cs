using Godwit.Migration.Forecasts;
using Godwit.Node.Migrations;

namespace Godwit.Node.Tests.Migrations;

public sealed class CostHistoryTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("godwit-costs-").FullName;
    private readonly NodeName target = NodeName.Parse("node-2");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void What_moves_showed_outlives_the_agent_and_is_bounded()
    {
        var before = new CostHistory(folder);
        for (var move = 1; move <= PastCosts.MovesMax + 5; move++)
        {
            before.Add(target, new(move, 1));
        }

        var after = new CostHistory(folder).Of(target);

        Assert.Equal(PastCosts.MovesMax, after.Count);
        Assert.Equal(PastCosts.MovesMax + 5, after[^1].SetupMs);
        Assert.Empty(new CostHistory(folder).Of(NodeName.Parse("node-3")));
    }

    [Fact]
    public void A_file_that_cannot_be_read_costs_the_forecast_its_precision_and_nothing_else()
    {
        File.WriteAllText(Path.Combine(folder, "node-2.json"), "{ this is no history");

        Assert.Empty(new CostHistory(folder).Of(target));
    }
}
