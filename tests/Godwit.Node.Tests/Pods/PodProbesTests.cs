using System.Collections.Concurrent;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Containers;
using Godwit.Node.Pods;
using Microsoft.Extensions.Time.Testing;
using ContainerState = Godwit.Containers.ContainerState;

namespace Godwit.Node.Tests.Pods;

/// <summary>
/// What becomes of a run's health by what its probes say over time. Each look of a program gets the next answer of its script, and what was known before it is noted: so it does not matter how fast time passes
/// beside the looks.
/// </summary>
public sealed class PodProbesTests : IDisposable
{
    private readonly FakeTimeProvider clock = new(DateTimeOffset.UnixEpoch);
    private readonly ConcurrentDictionary<string, int[]> scripts = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<(string Program, RunHealth Before, DateTimeOffset At)> looks = new();
    private readonly ProbeChecks checks;
    private readonly PodProbes probes;

    public PodProbesTests()
    {
        checks = new ProbeChecks((_, command, _) =>
        {
            var number = Looks(command[0]).Count;
            looks.Enqueue((command[0], Health, clock.GetUtcNow()));
            return Task.FromResult<(int?, string)>((scripts.TryGetValue(command[0], out var codes) ? codes[Math.Min(number, codes.Length - 1)] : 0, ""));
        }, clock);
        probes = new PodProbes(checks, clock, _ => { });
    }

    public void Dispose()
    {
        probes.Dispose();
        checks.Dispose();
    }

    [Fact]
    public async Task Without_probes_a_run_is_started_and_ready_and_one_that_is_not_followed_is_not_known()
    {
        Assert.Empty(probes.HealthOf([Run]));
        Follow(new Container { Name = "main" });
        await UntilAsync(new RunHealth(true, true, null));
        probes.Forget(Run.Id);
        Assert.Empty(probes.HealthOf([Run]));
    }

    [Fact]
    public async Task Readiness_comes_and_goes_by_its_thresholds_and_ends_nothing()
    {
        scripts["ready"] = [1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1, 1];
        Follow(new Container { Name = "main", ReadinessProbe = Probe("ready") with { SuccessThreshold = 2, FailureThreshold = 3, PeriodSeconds = 5 } });
        await PumpAsync(() => Looks("ready").Count >= 12);
        Assert.Equal([false, false, false, false, false, true, true, true, true, true, true, false], Looks("ready").Take(12).Select(look => look.Before.Ready));
        Assert.All(Looks("ready"), look => Assert.Equal((true, null), (look.Before.Started, look.Before.Failure)));
    }

    [Fact]
    public async Task Liveness_that_fails_often_enough_in_a_row_ends_the_run()
    {
        scripts["alive"] = [0, 4, 4, 0, 0, 4, 4, 4];
        Follow(new Container { Name = "main", LivenessProbe = Probe("alive") with { FailureThreshold = 3, PeriodSeconds = 1 } });
        await UntilAsync(new RunHealth(true, true, "Liveness probe failed: exit code 4"));
        Assert.Equal(8, Looks("alive").Count);
    }

    [Fact]
    public async Task The_startup_probe_comes_first_and_others_ask_nothing_until_it_succeeds()
    {
        scripts["started"] = [1, 1, 1, 1, 0];
        Follow(new Container { Name = "main", StartupProbe = Probe("started") with { FailureThreshold = 50, PeriodSeconds = 1 }, LivenessProbe = Probe("alive"), ReadinessProbe = Probe("ready") });
        await UntilAsync(new RunHealth(true, true, null));
        Assert.Equal(["started", "started", "started", "started", "started"], looks.Take(5).Select(look => look.Program));
        Assert.All(looks.Take(5), look => Assert.Equal(RunHealth.Unknown, look.Before));
        Assert.Equal(5, Looks("started").Count);
    }

    [Fact]
    public async Task A_startup_probe_that_fails_too_often_ends_the_run()
    {
        scripts["started"] = [1];
        Follow(new Container { Name = "main", StartupProbe = Probe("started") with { FailureThreshold = 2, PeriodSeconds = 1 }, LivenessProbe = Probe("alive") });
        await UntilAsync(new RunHealth(false, false, "Startup probe failed: exit code 1"));
        Assert.Equal((2, 0), (Looks("started").Count, Looks("alive").Count));
    }

    [Fact]
    public async Task The_first_look_waits_for_the_initial_delay_and_each_next_one_for_the_period()
    {
        Follow(new Container { Name = "main", ReadinessProbe = Probe("ready") with { InitialDelaySeconds = 30, PeriodSeconds = 10 } });
        clock.Advance(TimeSpan.FromSeconds(29));
        Assert.Empty(looks);
        await PumpAsync(() => Looks("ready").Count >= 2);
        Assert.True(Looks("ready")[0].At >= DateTimeOffset.UnixEpoch.AddSeconds(30));
        Assert.True(Looks("ready")[1].At >= DateTimeOffset.UnixEpoch.AddSeconds(40));
    }

    [Fact]
    public async Task A_first_hook_that_fails_ends_the_run_and_is_not_repeated_by_another_agent()
    {
        scripts["hook"] = [3];
        var container = new Container { Name = "main", Lifecycle = new Lifecycle { PostStart = new LifecycleHandler { Exec = new ExecAction { Command = ["hook"] } } } };
        Follow(container);
        await UntilAsync(new RunHealth(false, false, "PostStartHook failed: exit code 3"));
        probes.Forget(Run.Id);
        Follow(container, isNew: false);
        await UntilAsync(new RunHealth(true, true, null));
        Assert.Single(looks);
    }

    [Fact]
    public void A_run_that_is_found_begins_as_the_server_was_told_of_it()
    {
        Follow(new Container { Name = "main", ReadinessProbe = Probe("ready") with { InitialDelaySeconds = 30 }, StartupProbe = Probe("started") }, isNew: false, isReady: true);
        Assert.Equal(new RunHealth(true, true, null), Health);
        Assert.Empty(looks);
    }

    private static PodRun Run { get; } = new("run", "main", 0, 0, new ContainerState.Running(new Incarnation(default, default, DateTimeOffset.UnixEpoch)));

    private RunHealth Health => probes.HealthOf([Run]).GetValueOrDefault(Run.Id, RunHealth.Unknown);

    private List<(string Program, RunHealth Before, DateTimeOffset At)> Looks(string program) => [.. looks.Where(look => look.Program == program)];

    private static Probe Probe(string program) => new() { Exec = new ExecAction { Command = [program] } };

    private void Follow(Container container, bool isNew = true, bool isReady = false) => probes.Follow(
        new Pod
        {
            Metadata = new ObjectMeta { Uid = "uid" },
            Spec = new PodSpec { Containers = [container] },
            Status = new PodStatus { ContainerStatuses = isReady ? [new ContainerStatus { Name = "main", ContainerID = "godwit://run", Started = true, Ready = true }] : [] },
        },
        container, Run, "127.0.0.1", isNew);

    private Task UntilAsync(RunHealth wanted) => PumpAsync(() => Health == wanted);

    /// <summary>Time passes until it is so.</summary>
    private async Task PumpAsync(Func<bool> condition)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(2)); // For what the passing time has let go on.
        while (!condition())
        {
            Assert.False(bound.IsCancellationRequested, $"{Health} after {looks.Count} looks");
            clock.Advance(TimeSpan.FromSeconds(1));
            await ticks.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
    }
}
