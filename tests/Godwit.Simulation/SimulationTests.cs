using System.Globalization;

namespace Godwit.Simulation;

/// <summary>
/// Runs the protocol over a hostile world. A failing seed is printed with its story and kept in <c>failing-seeds.txt</c>, whose
/// seeds are run before all others. <c>GODWIT_SIMULATION_SEEDS</c> sets how many are run, <c>GODWIT_SIMULATION_FIRST</c> the first.
/// </summary>
public sealed class SimulationTests
{
    /// <summary>100 000 take some 20 s of two processors: what a change of the protocol may cost each time it is tested.</summary>
    private const int SeedsByDefault = 100_000;

    [Fact]
    public void Every_seed_keeps_every_invariant()
    {
        var first = Number("GODWIT_SIMULATION_FIRST", 1);
        var count = Number("GODWIT_SIMULATION_SEEDS", SeedsByDefault);
        FailWith(FailingSeeds.All.FirstOrDefault(Fails));
        FailWith(Enumerable.Range(first, count).AsParallel().FirstOrDefault(Fails));
    }

    [Fact]
    public void A_seed_that_fails_is_kept_once()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "# words\n7\n");
            FailingSeeds.Keep(8, file);
            FailingSeeds.Keep(7, file);

            Assert.Equal([7, 8], FailingSeeds.Read(file));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void A_seed_repeats_its_run_exactly()
    {
        var (one, two) = (new Simulation(77, keepsLog: true), new Simulation(77, keepsLog: true));
        one.Run();
        two.Run();

        Assert.NotEmpty(one.Story);
        Assert.Equal(one.Story, two.Story);
    }

    [Fact]
    public void The_runs_reach_every_phase_and_every_end()
    {
        var seen = new HashSet<string>();
        for (var seed = 1; seed <= 3000; seed++)
        {
            var simulation = new Simulation(seed);
            simulation.Run();
            seen.UnionWith(simulation.Faults.Seen);
        }

        string[] ends = ["source:Completed", "source:Aborted", "source:GuestLost", "target:Lost"];
        Assert.Empty(FaultPlan.Phases.Concat(FaultPlan.DiskPhases).Concat(ends).Except(seen));
    }

    [Theory]
    [InlineData(nameof(Mutation.ResumesOnTimeout), "NeverTwoRunning,NeverBackInTime,OneOwner")]
    [InlineData(nameof(Mutation.RunsBeforeCompleted), "NeverTwoRunning,NeverBackInTime,OneOwner")]
    [InlineData(nameof(Mutation.RunsOnArrival), "NeverTwoRunning,NeverBackInTime")]
    [InlineData(nameof(Mutation.HandingOverNotRecorded), "NeverTwoRunning,NeverBackInTime,OneOwner,EverythingEnds")]
    [InlineData(nameof(Mutation.GrantNotRecorded), "NeverTwoRunning,NeverBackInTime,OneOwner,NoneLostUnlessHostLost")]
    [InlineData(nameof(Mutation.RefusalNotRecorded), "NeverTwoRunning,NeverBackInTime,OneOwner,NoneLostUnlessHostLost,NothingLeftBehind")]
    [InlineData(nameof(Mutation.RefusesWithoutKilling), "NothingLeftBehind,NeverTwoRunning")]
    [InlineData(nameof(Mutation.TrustsOldReadings), "NeverTwoRunning,NeverBackInTime,EverythingEnds,NoneLostUnlessHostLost,AbortReturnsToSource,NothingLeftBehind")]
    [InlineData(nameof(Mutation.FinishesNoDisks), "DiskOfTheSameMoment")]
    [InlineData(nameof(Mutation.ObeysNoBudget), "WithinItsBudget")]
    [InlineData(nameof(Mutation.OpensWithoutLimit), "StopsForTheReady")]
    [InlineData(nameof(Mutation.HoldsNothingBack), "StopsForTheReady")]
    [InlineData(nameof(Mutation.WaitsForTheUnready), "StandsForTheReady")]
    [InlineData(nameof(Mutation.SwitchesWhileRunning), "NeverTwoRunning,NeverBackInTime")]
    [InlineData(nameof(Mutation.ReclaimsUnasked), "NeverTwoRunning,NeverBackInTime,OneOwner")]
    public void A_broken_engine_is_caught_by_name(string mutation, string invariants)
    {
        var kind = Enum.Parse<Mutation>(mutation);
        for (var seed = 1; seed <= 30_000; seed++)
        {
            if (new Simulation(seed, kind).Run() is { } violation)
            {
                Assert.Contains(violation[..violation.IndexOf(':', StringComparison.Ordinal)], invariants.Split(','));
                return;
            }
        }

        Assert.Fail($"{mutation} was not caught by 30 000 seeds");
    }

    private static bool Fails(int seed) => new Simulation(seed).Run() is not null;

    /// <param name="seed">0: none has failed. Seeds begin with 1.</param>
    private static void FailWith(int seed)
    {
        if (seed != 0)
        {
            FailingSeeds.Keep(seed, FailingSeeds.File);
            var again = new Simulation(seed, keepsLog: true);
            var violation = again.Run();
            Assert.Fail($"seed {seed.ToString(CultureInfo.InvariantCulture)}: {violation}\n{again.Story}");
        }
    }

    private static int Number(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var number) && number > 0 ? number : otherwise;
}
