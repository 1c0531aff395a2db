using System.Globalization;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>Runs whole clusters from seeds. A failing seed is printed with its story; <c>GODWIT_CLUSTER_SEEDS</c> sets how many are run, <c>GODWIT_CLUSTER_FIRST</c> the first.</summary>
public sealed class ClusterSimulationTests : IDisposable
{
    /// <summary>What they must be enough for: <see cref="What_is_broken_is_caught_by_name_by_a_seed_that_is_run_by_default"/>.</summary>
    private const int SeedsByDefault = 5;

    private const int Happenings = 30;

    private readonly string folder = Directory.CreateTempSubdirectory("godwit-simulation-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Whatever_happens_nothing_runs_twice_no_node_is_overcommitted_and_in_the_end_all_is_as_was_asked()
    {
        var first = Number("GODWIT_CLUSTER_FIRST", 1);
        foreach (var seed in Enumerable.Range(first, Number("GODWIT_CLUSTER_SEEDS", SeedsByDefault)))
        {
            var (violation, world) = await RunAsync(seed, Happenings);
            Assert.True(violation is null, $"seed {seed.ToString(CultureInfo.InvariantCulture)}: {violation}\n{world.Story}");
            TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {world.Server.Revision} writes, {world.Digest}");
        }
    }

    [Fact]
    public async Task A_seed_repeats_its_run_to_the_byte()
    {
        var (_, one) = await RunAsync(77, happenings: 6);
        var (_, two) = await RunAsync(77, happenings: 6);

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
    public async Task What_is_broken_is_caught_by_name_by_a_seed_that_is_run_by_default(string mutation, string invariant)
    {
        for (var seed = 1; seed <= SeedsByDefault; seed++)
        {
            var (_, world) = await RunAsync(seed, Happenings, Enum.Parse<ClusterMutation>(mutation), invariant);
            if (world.IsBroken(invariant))
            {
                TestContext.Current.TestOutputHelper?.WriteLine($"caught by seed {seed}");
                return;
            }
        }

        Assert.Fail($"{mutation} was not caught by {SeedsByDefault} seeds");
    }

    /// <summary>On a thread of its own, where no context of the test's takes tasks away from the simulation.</summary>
    private async Task<(string? Violation, ClusterWorld World)> RunAsync(int seed, int happenings, ClusterMutation mutation = ClusterMutation.None, string? sought = null)
    {
        var done = new TaskCompletionSource<(string?, ClusterWorld)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var simulation = new Disposer();
        new Thread(() =>
        {
            try
            {
                SynchronizationContext.SetSynchronizationContext(null);
                simulation.Made = new ClusterSimulation(seed, folder, mutation, sought);
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
