using System.Collections.Concurrent;
using Godwit.Api.Metrics;
using Godwit.Base;
using Godwit.Containers;
using Godwit.Linux.Hosts;
using Godwit.Node.Guests;
using Godwit.Node.Pods;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Serving;

/// <summary>
/// What this host and all that runs on it use, read every <see cref="Interval"/>: use of a CPU is the difference of two readings, so what has begun since the last one is not told yet. Of
/// a pod all containers are told or none, so that nobody takes a part for the whole.
/// </summary>
internal sealed partial class UsageReporter(Func<ContainerEngine?> engine, LocalMachines machines, UsageSampler guests, TimeProvider time, ILogger logger)
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>The one container of a guest's pod.</summary>
    private const string GuestContainer = "compute";

    private const long NanosecondsPerMillisecond = 1_000_000;

    private readonly ConcurrentDictionary<string, Reading> containers = new(StringComparer.Ordinal);
    private Reading? host;

    private sealed record Reading(long CpuNanoseconds, long MemoryBytes, long Timestamp, UsageFigures? Figures);

    public UsageReport Current => new() { Node = host?.Figures, Pods = [.. OfPods(), .. OfGuests()] };

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                Read();
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or ContainerException or Linux.LinuxException)
            {
                Log.CannotRead(logger, ErrorChain.Describe(error));
            }

            await Task.Delay(Interval, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One reading of everything.</summary>
    internal void Read()
    {
        host = Next(host, (long)HostFacts.BusyCpuTime.TotalMilliseconds * NanosecondsPerMillisecond, HostFacts.MemoryBytes - HostFacts.MemoryAvailableBytes);
        var alive = engine() is { } containersHere ? containersHere.List().Where(container => container.State.IsAlive && PodContainers.Read(container) is not null).ToList() : [];
        foreach (var container in alive)
        {
            try
            {
                var usage = engine()!.ReadUsage(container.Id.Value);
                containers[container.Id.Value] = Next(containers.GetValueOrDefault(container.Id.Value), usage.CpuNanoseconds, Math.Max(0, usage.MemoryBytes - usage.InactiveFileBytes));
            }
            catch (NotThereException)
            {
                // Removed since it was listed.
            }
        }

        var known = alive.Select(container => container.Id.Value).ToHashSet(StringComparer.Ordinal);
        foreach (var gone in containers.Keys.Where(id => !known.Contains(id)).ToList())
        {
            containers.TryRemove(gone, out _);
        }
    }

    private Reading Next(Reading? before, long cpuNanoseconds, long memoryBytes)
    {
        var now = time.GetTimestamp();
        var passed = before is null ? TimeSpan.Zero : time.GetElapsedTime(before.Timestamp, now);
        // A counter that goes back is another one: its cgroup was made anew.
        var figures = before is null || passed <= TimeSpan.Zero || cpuNanoseconds < before.CpuNanoseconds ? null : new UsageFigures
        {
            CpuNanocores = (long)((cpuNanoseconds - before.CpuNanoseconds) / passed.TotalSeconds),
            MemoryBytes = memoryBytes,
            ReadAt = time.GetUtcNow(),
            WindowMs = (long)passed.TotalMilliseconds,
        };
        return new Reading(cpuNanoseconds, memoryBytes, now, figures);
    }

    /// <summary>The same for Prometheus, of each container that runs: what it has used, not how fast, which is for whoever reads it to work out.</summary>
    public IEnumerable<MetricSample> Samples()
    {
        var alive = engine() is { } here ? here.List().Where(container => container.State.IsAlive) : [];
        return PodSamples.Of(alive.Select(container => (container.Spec.Labels, PodContainers.Read(container), containers.GetValueOrDefault(container.Id.Value)))
            .Where(each => each.Item2 is not null && each.Item3 is not null)
            .Select(each => new ContainerReading(
                each.Labels.GetValueOrDefault(PodContainers.NamespaceLabel, ""), each.Labels.GetValueOrDefault(PodContainers.PodLabel, ""), each.Item2!.Value.Uid, each.Item2.Value.Run.Name,
                each.Item2.Value.Run.Attempt, each.Item3!.CpuNanoseconds, each.Item3.MemoryBytes)));
    }

    private IEnumerable<PodUsage> OfPods()
    {
        var runs = engine() is { } here ? here.List().Where(container => container.State.IsAlive) : [];
        foreach (var pod in runs.Select(container => (Container: container, Read: PodContainers.Read(container))).Where(each => each.Read is not null).GroupBy(each => each.Read!.Value.Uid, StringComparer.Ordinal))
        {
            var figures = pod.Select(each => (each.Read!.Value.Run.Name, containers.GetValueOrDefault(each.Container.Id.Value)?.Figures)).ToList();
            if (figures.TrueForAll(each => each.Figures is not null))
            {
                yield return new PodUsage { Uid = pod.Key, Containers = [.. figures.OrderBy(each => each.Name, StringComparer.Ordinal).Select(each => new ContainerUsageFigures { Name = each.Name, Figures = each.Figures! })] };
            }
        }
    }

    private IEnumerable<PodUsage> OfGuests()
    {
        foreach (var machine in machines.All)
        {
            if (guests.Find(machine.Spec.Id) is { CpuMillicores: { } millicores, MemoryBytes: { } memory, UpdatedTimestamp: var readAt })
            {
                var figures = new UsageFigures { CpuNanocores = millicores * NanosecondsPerMillisecond, MemoryBytes = memory, ReadAt = readAt, WindowMs = (long)UsageSampler.Interval.TotalMilliseconds };
                yield return new PodUsage { Uid = machine.Spec.Id.ToString(), Containers = [new ContainerUsageFigures { Name = GuestContainer, Figures = figures }] };
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2142, Level = LogLevel.Warning, Message = "Cannot read what this host and its pods use; it is tried again: {Reason}")]
        public static partial void CannotRead(ILogger logger, string reason);
    }
}
