using System.Globalization;
using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <summary>Runs guests that are one service over a hostile world; <c>GODWIT_SIMULATION_SEEDS</c> sets how many seeds in all.</summary>
public sealed class ServiceSimulationTests
{
    /// <summary>Each is two or three moves.</summary>
    private const int SeedsByDefault = 8_000;

    [Fact]
    public void A_service_is_all_or_nothing_with_every_seed()
    {
        var count = int.TryParse(Environment.GetEnvironmentVariable("GODWIT_SIMULATION_SEEDS"), CultureInfo.InvariantCulture, out var wanted) && wanted > 0
            ? wanted
            : SeedsByDefault;
        var failing = Enumerable.Range(1, count).AsParallel().FirstOrDefault(seed => new ServiceSimulation(seed).Run() is not null);
        if (failing != 0)
        {
            var again = new ServiceSimulation(failing, keepsLog: true);
            var violation = again.Run();
            Assert.Fail($"seed {failing.ToString(CultureInfo.InvariantCulture)}: {violation}\n{again.Story}");
        }
    }

    [Fact]
    public void The_runs_reach_both_decisions_and_every_phase_of_a_service()
    {
        var decisions = new HashSet<ServiceDecision>();
        var seen = new HashSet<string>();
        string[] wanted = [.. FaultPlan.ServicePhases, "source:Completed", "source:Aborted", "source:GuestLost", "target:Lost", "source:FinishingDisks"];
        for (var seed = 1; seed <= 5000 && (decisions.Count < 2 || wanted.Except(seen).Any()); seed++)
        {
            var simulation = new ServiceSimulation(seed);
            simulation.Run();
            decisions.Add(simulation.Decision);
            seen.UnionWith(simulation.Seen);
        }

        Assert.Superset(new HashSet<ServiceDecision> { ServiceDecision.RunAll, ServiceDecision.ReturnAll }, decisions);
        Assert.Empty(wanted.Except(seen));
    }

    [Theory]
    [InlineData(nameof(ServiceMutation.RunsWithoutRecord))]
    [InlineData(nameof(ServiceMutation.RunsAfterCrash))]
    [InlineData(nameof(ServiceMutation.ReturnsUnasked))]
    [InlineData(nameof(ServiceMutation.Overwrites))]
    [InlineData(nameof(ServiceMutation.DecidesWithoutAll))]
    public void A_service_that_is_switched_over_wrongly_is_caught_by_name(string mutation)
    {
        var kind = Enum.Parse<ServiceMutation>(mutation);
        for (var seed = 1; seed <= 20_000; seed++)
        {
            if (new ServiceSimulation(seed, kind).Run() is { } violation)
            {
                Assert.StartsWith("ServiceIsWhole", violation, StringComparison.Ordinal);
                return;
            }
        }

        Assert.Fail($"{mutation} was not caught by 20 000 seeds");
    }
}
