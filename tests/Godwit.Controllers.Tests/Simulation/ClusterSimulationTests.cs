using System.Globalization;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>Runs whole clusters from seeds. A failing seed is printed with its story; <c>GODWIT_CLUSTER_SEEDS</c> sets how many are run, <c>GODWIT_CLUSTER_FIRST</c> the first.</summary>
public sealed class ClusterSimulationTests : IDisposable
{
    private const int Happenings = 30;

    private readonly string folder = Directory.CreateTempSubdirectory("godwit-simulation-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public Task Whatever_happens_nothing_runs_twice_no_node_is_overcommitted_and_in_the_end_all_is_as_was_asked() => RunSeedsAsync(ClusterSubject.Workloads);

    [Fact]
    public Task Whatever_happens_no_guest_has_two_copies_each_that_is_wanted_runs_again_and_every_move_ends_with_one() => RunSeedsAsync(ClusterSubject.Guests);

    [Fact]
    public Task Whatever_happens_no_eviction_goes_below_its_budget_and_drains_end() => RunSeedsAsync(ClusterSubject.Evictions);

    [Fact]
    public Task Whatever_the_clock_does_no_start_is_made_twice_or_in_a_storm_and_an_autoscaler_keeps_its_bounds_and_settles() => RunSeedsAsync(ClusterSubject.Clocks);

    [Theory]
    [InlineData(nameof(ClusterSubject.Workloads))]
    [InlineData(nameof(ClusterSubject.Guests))]
    [InlineData(nameof(ClusterSubject.Evictions))]
    [InlineData(nameof(ClusterSubject.Clocks))]
    public async Task A_seed_repeats_its_run_to_the_byte(string subject)
    {
        var (_, one) = await RunAsync(Enum.Parse<ClusterSubject>(subject), 77, happenings: 6);
        var (_, two) = await RunAsync(Enum.Parse<ClusterSubject>(subject), 77, happenings: 6);

        Assert.NotEmpty(one.Story);
        Assert.Equal(one.Story, two.Story);
        Assert.Equal(one.Digest, two.Digest);
    }

    [Theory]
    [InlineData(nameof(ClusterMutation.BindsTwice), "NeverMoved")]
    [InlineData(nameof(ClusterMutation.BindsTwice), "NeverTwoRunning")]
    [InlineData(nameof(ClusterMutation.ForgetsBindings), "NeverOvercommitted")]
    [InlineData(nameof(ClusterMutation.AsksForNoLease), "NeverSilentWhileHeard")]
    [InlineData(nameof(ClusterMutation.WaitsForNoAgent), "NeverGoneWhileRunning")]
    [InlineData(nameof(ClusterMutation.EvictsFreely), "NeverBelowBudget")]
    public Task What_is_broken_is_caught_by_name_by_a_seed_that_is_run_by_default(string mutation, string invariant) => CatchAsync(ClusterSubject.Workloads, mutation, invariant);

    [Theory]
    [InlineData(nameof(ClusterMutation.ForgetsBoots), "NeverBootedTwice")]
    [InlineData(nameof(ClusterMutation.RunsBeforeItStopped), "NeverTwoCopies")]
    [InlineData(nameof(ClusterMutation.RunsBeforeItStopped), "MoveLeavesOne")]
    [InlineData(nameof(ClusterMutation.RemovesWhatRuns), "NeverTwoCopies")]
    [InlineData(nameof(ClusterMutation.HoldsGuests), "RunsAgain")]
    [InlineData(nameof(ClusterMutation.ForgetsTargets), "MoveEnds")]
    [InlineData(nameof(ClusterMutation.ForgetsMoves), "NeverFromElsewhere")]
    [InlineData(nameof(ClusterMutation.ForgetsMoves), "OwnerIsHeard")]
    public Task What_is_broken_about_guests_is_caught_by_name(string mutation, string invariant) => CatchAsync(ClusterSubject.Guests, mutation, invariant);

    [Theory]
    [InlineData(nameof(ClusterMutation.EvictsFreely), "NeverBelowBudget")]
    public Task What_is_broken_about_evictions_is_caught_by_name(string mutation, string invariant) => CatchAsync(ClusterSubject.Evictions, mutation, invariant);

    [Theory]
    [InlineData(nameof(ClusterMutation.TakesStartsTwice), "NeverStartedTwice")]
    [InlineData(nameof(ClusterMutation.StartsAllMissed), "NeverStorm")]
    [InlineData(nameof(ClusterMutation.ScalesFurther), "NeverBeyondBounds")]
    [InlineData(nameof(ClusterMutation.MeasuresByChance), "Settles")]
    public Task What_is_broken_about_starts_and_autoscalers_is_caught_by_name(string mutation, string invariant) => CatchAsync(ClusterSubject.Clocks, mutation, invariant);

    /// <summary>What they must be enough for: <see cref="CatchAsync"/>.</summary>
    private static int SeedsByDefault(ClusterSubject subject) => subject switch
    {
        ClusterSubject.Workloads => 5,
        ClusterSubject.Guests => 8,
        _ => 3,
    };

    private async Task RunSeedsAsync(ClusterSubject subject)
    {
        var first = Number("GODWIT_CLUSTER_FIRST", 1);
        foreach (var seed in Enumerable.Range(first, Number("GODWIT_CLUSTER_SEEDS", SeedsByDefault(subject))))
        {
            var (violation, world) = await RunAsync(subject, seed, Happenings);
            Assert.True(violation is null, $"seed {seed.ToString(CultureInfo.InvariantCulture)}: {violation}\n{world.Story}");
            TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {world.Server.Revision} writes, {world.Digest}; seen: {string.Join(", ", world.Seen.Order(StringComparer.Ordinal))}");
        }
    }

    private async Task CatchAsync(ClusterSubject subject, string mutation, string invariant)
    {
        for (var seed = 1; seed <= SeedsByDefault(subject); seed++)
        {
            var (_, world) = await RunAsync(subject, seed, Happenings, Enum.Parse<ClusterMutation>(mutation), invariant);
            if (world.IsBroken(invariant))
            {
                TestContext.Current.TestOutputHelper?.WriteLine($"caught by seed {seed}");
                return;
            }
        }

        Assert.Fail($"{mutation} was not caught by {SeedsByDefault(subject)} seeds");
    }

    /// <summary>On a thread of its own, where no context of the test's takes tasks away from the simulation.</summary>
    private async Task<(string? Violation, ClusterWorld World)> RunAsync(ClusterSubject subject, int seed, int happenings, ClusterMutation mutation = ClusterMutation.None, string? sought = null)
    {
        var done = new TaskCompletionSource<(string?, ClusterWorld)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var simulation = new Disposer();
        new Thread(() =>
        {
            try
            {
                SynchronizationContext.SetSynchronizationContext(null);
                simulation.Made = new ClusterSimulation(seed, folder, subject, mutation, sought);
                done.SetResult((simulation.Made.Run(happenings), simulation.Made.World));
            }
            catch (Exception error)
            {
                done.SetException(error);
            }
        }) { IsBackground = true }.Start();
        return await done.Task;
    }

    private sealed class Disposer : IAsyncDisposable
    {
        public ClusterSimulation? Made { get; set; }

        public ValueTask DisposeAsync() => Made?.DisposeAsync() ?? ValueTask.CompletedTask;
    }

    private static int Number(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var number) && number > 0 ? number : otherwise;
}
