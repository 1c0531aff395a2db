using System.Globalization;
using Godwit.Containers;

namespace Godwit.DockerApi.Mapping;

/// <summary>What people read in <c>docker ps</c>.</summary>
internal static class StatusText
{
    public static string Of(ContainerSnapshot container, DateTimeOffset now) => container.State switch
    {
        ContainerState.Paused paused => $"Up {Ago(now - paused.Now.StartedAt)} (Paused)",
        ContainerState.Alive alive => $"Up {Ago(now - alive.Now.StartedAt)}{Health(container)}",
        ContainerState.Restarting restarting => $"Restarting ({Number(restarting.Exit.Code)}) {Ago(now - restarting.Exit.FinishedAt)} ago",
        ContainerState.Exited exited => $"Exited ({Number(exited.Exit.Code)}) {Ago(now - exited.Exit.FinishedAt)} ago",
        ContainerState.Dead => "Dead",
        _ => "Created",
    };

    public static string Word(HealthStatus status) => status switch
    {
        HealthStatus.Healthy => "healthy",
        HealthStatus.Unhealthy => "unhealthy",
        _ => "starting",
    };

    /// <summary>A span in the largest unit that suits it.</summary>
    internal static string Ago(TimeSpan span) => span switch
    {
        { TotalSeconds: < 1 } => "Less than a second",
        { TotalSeconds: < 2 } => "1 second",
        { TotalSeconds: < 60 } => $"{Number((int)span.TotalSeconds)} seconds",
        { TotalMinutes: < 2 } => "About a minute",
        { TotalMinutes: < 46 } => $"{Number((int)span.TotalMinutes)} minutes",
        { TotalMinutes: < 90 } => "About an hour",
        { TotalHours: < 48 } => $"{Number((int)Math.Round(span.TotalHours))} hours",
        { TotalDays: < 14 } => $"{Number((int)span.TotalDays)} days",
        { TotalDays: < 60 } => $"{Number((int)span.TotalDays / 7)} weeks",
        { TotalDays: < 730 } => $"{Number((int)span.TotalDays / 30)} months",
        _ => $"{Number((int)span.TotalDays / 365)} years",
    };

    private static string Health(ContainerSnapshot container) => container.Spec.HealthCheck is null ? "" : container.Health?.Status switch
    {
        HealthStatus.Healthy => " (healthy)",
        HealthStatus.Unhealthy => " (unhealthy)",
        _ => " (health: starting)",
    };

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
