using Godwit.Oci;

namespace Godwit.Containers;

/// <summary>Between an image's configuration and a container's spec, in both directions. Functions of values.</summary>
public static class SpecDefaults
{
    private const string NoCheck = "NONE";
    private const string ShellCheck = "CMD-SHELL";

    private static readonly string[] StandardShell = ["/bin/sh", "-c"];

    /// <summary>Fills in what the spec leaves open.</summary>
    /// <param name="spec">What the user said.</param>
    /// <param name="image">The image's configuration; null is an image that says nothing.</param>
    /// <param name="clearsEntrypoint">The user asked for no entrypoint, rather than for the image's.</param>
    public static ContainerSpec Apply(ContainerSpec spec, ImageDefaults? image, bool clearsEntrypoint = false)
    {
        if (image is null)
        {
            return spec;
        }

        var process = spec.Process;
        var ownEntrypoint = process.Entrypoint.Count > 0 || clearsEntrypoint;
        var mounted = spec.Mounts.Select(mount => mount.Target.TrimEnd('/')).ToHashSet(StringComparer.Ordinal);
        return spec with
        {
            Process = process with
            {
                Entrypoint = ownEntrypoint ? process.Entrypoint : image.Entrypoint ?? [],
                // An image's command is the argument of the image's entrypoint: with another one it means nothing.
                Command = process.Command.Count > 0 || ownEntrypoint ? process.Command : image.Cmd ?? [],
                Environment = [.. image.Env ?? [], .. process.Environment],
                WorkingDirectory = process.WorkingDirectory is "" or "/" ? image.WorkingDir is { Length: > 0 } folder ? folder : "/" : process.WorkingDirectory,
                User = process.User.Length > 0 ? process.User : image.User ?? "",
            },
            Labels = Merge(image.Labels, spec.Labels),
            HealthCheck = spec.HealthCheck ?? ReadHealthCheck(image.Healthcheck, image.Shell),
            Stop = new StopSpec
            {
                Signal = spec.Stop.Signal != new StopSpec().Signal ? spec.Stop.Signal : image.StopSignal is { Length: > 0 } signal ? signal : spec.Stop.Signal,
                TimeoutSeconds = spec.Stop.TimeoutSeconds != new StopSpec().TimeoutSeconds ? spec.Stop.TimeoutSeconds : image.StopTimeout ?? spec.Stop.TimeoutSeconds,
            },
            Mounts =
            [
                .. spec.Mounts,
                .. (image.Volumes?.Keys ?? []).Where(target => target.StartsWith('/') && mounted.Add(target.TrimEnd('/')))
                    .Select(target => new MountSpec.Volume(ContainerId.Generate().Value, target) { Anonymous = true }),
            ],
            Network = spec.Network with { ExposedPorts = [.. (image.ExposedPorts?.Keys ?? []).Concat(spec.Network.ExposedPorts).Select(port => port.Contains('/', StringComparison.Ordinal) ? port : port + "/tcp").Distinct(StringComparer.Ordinal)] },
        };
    }

    /// <summary>A check in Docker's form; null when there is none, or it is switched off.</summary>
    public static HealthCheckSpec? ReadHealthCheck(HealthCheck? check, IReadOnlyList<string>? shell)
    {
        if (check?.Test is not [var kind, ..] || kind == NoCheck)
        {
            return null;
        }

        var standard = new HealthCheckSpec { Command = [] };
        return new HealthCheckSpec
        {
            Command = kind == ShellCheck ? [.. shell is { Count: > 0 } ? shell : StandardShell, string.Join(' ', check.Test.Skip(1))] : [.. check.Test.Skip(1)],
            Interval = Span(check.IntervalNanoseconds) ?? standard.Interval,
            Timeout = Span(check.TimeoutNanoseconds) ?? standard.Timeout,
            StartPeriod = Span(check.StartPeriodNanoseconds) ?? standard.StartPeriod,
            StartInterval = Span(check.StartIntervalNanoseconds) ?? standard.StartInterval,
            Retries = check.Retries is > 0 and var retries ? retries : standard.Retries,
        };
    }

    /// <summary>The configuration of an image made from this container.</summary>
    public static ImageDefaults ToImage(ContainerSpec spec) => new()
    {
        User = spec.Process.User,
        Env = spec.Process.Environment,
        Entrypoint = spec.Process.Entrypoint.Count > 0 ? spec.Process.Entrypoint : null,
        Cmd = spec.Process.Command.Count > 0 ? spec.Process.Command : null,
        WorkingDir = spec.Process.WorkingDirectory,
        Labels = spec.Labels.Count > 0 ? spec.Labels : null,
        StopSignal = spec.Stop.Signal == new StopSpec().Signal ? null : spec.Stop.Signal,
        ExposedPorts = spec.Network.ExposedPorts.Count > 0 ? spec.Network.ExposedPorts.ToDictionary(port => port, EmptyObject (_) => EmptyObject.Value, StringComparer.Ordinal) : null,
        Volumes = spec.Mounts.OfType<MountSpec.Volume>().Any(volume => volume.Anonymous)
            ? spec.Mounts.OfType<MountSpec.Volume>().Where(volume => volume.Anonymous).ToDictionary(volume => volume.Target, EmptyObject (_) => EmptyObject.Value, StringComparer.Ordinal)
            : null,
        Healthcheck = spec.HealthCheck is not { } check ? null : new HealthCheck
        {
            Test = ["CMD", .. check.Command],
            IntervalNanoseconds = Nanoseconds(check.Interval),
            TimeoutNanoseconds = Nanoseconds(check.Timeout),
            StartPeriodNanoseconds = Nanoseconds(check.StartPeriod),
            StartIntervalNanoseconds = Nanoseconds(check.StartInterval),
            Retries = check.Retries,
        },
    };

    private static IReadOnlyDictionary<string, string> Merge(IReadOnlyDictionary<string, string>? image, IReadOnlyDictionary<string, string> own)
    {
        if (image is not { Count: > 0 })
        {
            return own;
        }

        var merged = new Dictionary<string, string>(image, StringComparer.Ordinal);
        foreach (var (name, value) in own)
        {
            merged[name] = value;
        }

        return merged;
    }

    private static TimeSpan? Span(long? nanoseconds) => nanoseconds is > 0 ? TimeSpan.FromTicks(nanoseconds.Value / TimeSpan.NanosecondsPerTick) : null;

    private static long Nanoseconds(TimeSpan span) => span.Ticks * TimeSpan.NanosecondsPerTick;
}
