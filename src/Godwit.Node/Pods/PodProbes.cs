using System.Collections.Concurrent;
using Godwit.Api.Core.V1;

namespace Godwit.Node.Pods;

/// <summary>
/// Looks at running containers as their probes say, from their start to their end. One watch for each run:
/// <code>
///   first hook ─▶ startup probe until it succeeds ─▶ liveness, readiness for ever
///      │ fails        │ fails too often                 │ fails too often
///      └──────────────┴─────────────────────────────────┴─▶ Failure: the plan ends the run
/// </code>
/// A run that was found (the agent is new, the run is not) begins from what the server was told of it last, so that an agent's restart makes no pod unready.
/// </summary>
internal sealed class PodProbes(ProbeChecks checks, TimeProvider time, Action<string> wake) : IDisposable
{
    private const int PeriodSecondsDefault = 10;
    private const int FailureThresholdDefault = 3;

    private static readonly TimeSpan HookPatience = TimeSpan.FromMinutes(2);

    private readonly ConcurrentDictionary<string, Watch> watches = new(StringComparer.Ordinal);

    /// <summary>By the run's id.</summary>
    public IReadOnlyDictionary<string, RunHealth> HealthOf(IEnumerable<PodRun> runs) =>
        runs.Where(run => watches.ContainsKey(run.Id)).ToDictionary(run => run.Id, run => watches.TryGetValue(run.Id, out var watch) ? watch.Health : RunHealth.Unknown, StringComparer.Ordinal);

    /// <summary>Watches a run from now on. Idempotent.</summary>
    /// <param name="pod">The run's pod.</param>
    /// <param name="container">What it is a run of.</param>
    /// <param name="run">It runs.</param>
    /// <param name="address">Where it is reached.</param>
    /// <param name="isNew">It has just been started by this agent.</param>
    public void Follow(Pod pod, Container container, PodRun run, string address, bool isNew)
    {
        if (watches.ContainsKey(run.Id))
        {
            return;
        }

        var told = pod.Status.ContainerStatuses.Concat(pod.Status.InitContainerStatuses).FirstOrDefault(status => status.ContainerID == "godwit://" + run.Id);
        var watch = new Watch(pod.Metadata.Uid, container, new ProbeSubject(run.Id, address, container))
        {
            Health = isNew || told is null ? RunHealth.Unknown : new RunHealth(told.Started == true, told.Ready, null),
        };
        if (watches.TryAdd(run.Id, watch))
        {
            _ = WatchAsync(watch, isNew);
        }
    }

    /// <summary>It has ended. Idempotent.</summary>
    public void Forget(string run)
    {
        if (watches.TryRemove(run, out var watch))
        {
            watch.Ended.Cancel();
        }
    }

    public void Dispose()
    {
        foreach (var run in watches.Keys)
        {
            Forget(run);
        }
    }

    private async Task WatchAsync(Watch watch, bool isNew)
    {
        var ended = watch.Ended.Token;
        try
        {
            if (isNew && watch.Container.Lifecycle?.PostStart is { } hook && await checks.RunAsync(watch.Subject, hook, HookPatience, ended) is { } words)
            {
                Tell(watch, health => health with { Failure = $"PostStartHook failed: {words}" });
                return;
            }

            if (!watch.Health.Started && watch.Container.StartupProbe is { } startup)
            {
                await UntilStartedAsync(watch, startup, ended);
            }

            if (watch.Health.Failure is null)
            {
                Tell(watch, health => health with { Started = true, Ready = health.Ready || watch.Container.ReadinessProbe is null });
                await Task.WhenAll(KeepAliveAsync(watch, ended), KeepReadyAsync(watch, ended));
            }
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The run has ended, or the agent.
        }
    }

    private async Task UntilStartedAsync(Watch watch, Probe probe, CancellationToken ended)
    {
        var failures = 0;
        await foreach (var words in LookAsync(watch, probe, ended))
        {
            if (words is null)
            {
                return;
            }

            if (++failures >= (probe.FailureThreshold ?? FailureThresholdDefault))
            {
                Tell(watch, health => health with { Failure = $"Startup probe failed: {words}" });
                return;
            }
        }
    }

    private async Task KeepAliveAsync(Watch watch, CancellationToken ended)
    {
        if (watch.Container.LivenessProbe is not { } probe)
        {
            return;
        }

        var failures = 0;
        await foreach (var words in LookAsync(watch, probe, ended))
        {
            failures = words is null ? 0 : failures + 1;
            if (failures >= (probe.FailureThreshold ?? FailureThresholdDefault))
            {
                Tell(watch, health => health with { Failure = $"Liveness probe failed: {words}" });
                return;
            }
        }
    }

    private async Task KeepReadyAsync(Watch watch, CancellationToken ended)
    {
        if (watch.Container.ReadinessProbe is not { } probe)
        {
            return;
        }

        var (failures, successes) = (0, 0);
        await foreach (var words in LookAsync(watch, probe, ended))
        {
            (failures, successes) = words is null ? (0, successes + 1) : (failures + 1, 0);
            if (successes >= (probe.SuccessThreshold ?? 1) || failures >= (probe.FailureThreshold ?? FailureThresholdDefault))
            {
                Tell(watch, health => health with { Ready = words is null });
            }
        }
    }

    private async IAsyncEnumerable<string?> LookAsync(Watch watch, Probe probe, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ended)
    {
        if (probe.InitialDelaySeconds is > 0 and var delay)
        {
            await Task.Delay(TimeSpan.FromSeconds(delay), time, ended);
        }

        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(Math.Max(1, probe.PeriodSeconds ?? PeriodSecondsDefault)), time);
        do
        {
            yield return await checks.RunAsync(watch.Subject, probe, ended);
        }
        while (await timer.WaitForNextTickAsync(ended));
    }

    private void Tell(Watch watch, Func<RunHealth, RunHealth> change)
    {
        lock (watch)
        {
            var next = change(watch.Health);
            if (watch.Health == next)
            {
                return;
            }

            watch.Health = next;
        }

        wake(watch.Uid);
    }

    private sealed class Watch(string uid, Container container, ProbeSubject subject)
    {
        public string Uid => uid;

        public Container Container => container;

        public ProbeSubject Subject => subject;

        public CancellationTokenSource Ended { get; } = new();

        public required RunHealth Health { get; set; }
    }
}
