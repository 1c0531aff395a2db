namespace Godwit.Containers.Health;

/// <summary>What a container's health is after one more probe: a function of values.</summary>
internal static class HealthDecision
{
    internal const int ProbesKept = 5;

    internal static ContainerHealth First { get; } = new(HealthStatus.Starting, 0, []);

    /// <param name="health">What was known before.</param>
    /// <param name="probe">The probe.</param>
    /// <param name="spec">What the check is.</param>
    /// <param name="age">Since the container's start, at the probe's end.</param>
    internal static ContainerHealth Next(ContainerHealth health, HealthProbe probe, HealthCheckSpec spec, TimeSpan age)
    {
        var probes = (IReadOnlyList<HealthProbe>)[.. health.Probes.Append(probe).TakeLast(ProbesKept)];
        if (probe.ExitCode == 0)
        {
            return new ContainerHealth(HealthStatus.Healthy, 0, probes);
        }

        // While it starts, failures are what one expects.
        if (health.Status is HealthStatus.Starting && age < spec.StartPeriod)
        {
            return new ContainerHealth(HealthStatus.Starting, 0, probes);
        }

        var streak = health.FailingStreak + 1;
        return new ContainerHealth(streak >= Math.Max(1, spec.Retries) ? HealthStatus.Unhealthy : health.Status, streak, probes);
    }

    internal static TimeSpan NextWait(ContainerHealth health, HealthCheckSpec spec, TimeSpan age) =>
        health.Status is HealthStatus.Starting && age < spec.StartPeriod ? Least(spec.StartInterval) : Least(spec.Interval);

    /// <summary>No check more often than this, whatever it says.</summary>
    private static TimeSpan Least(TimeSpan wanted) => wanted > TimeSpan.FromMilliseconds(1) ? wanted : TimeSpan.FromSeconds(30);
}
