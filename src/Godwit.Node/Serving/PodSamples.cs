namespace Godwit.Node.Serving;

/// <summary>What one container of a pod has used by now.</summary>
/// <param name="Namespace">The pod's.</param>
/// <param name="Pod">The pod's name.</param>
/// <param name="Uid">The pod's.</param>
/// <param name="Container">Its name in the pod.</param>
/// <param name="Restarts">How often it was started anew.</param>
/// <param name="CpuNanoseconds">Time of CPUs since this run of it began.</param>
/// <param name="MemoryBytes">What it holds now, without files that can be dropped.</param>
internal sealed record ContainerReading(string Namespace, string Pod, string Uid, string Container, int Restarts, long CpuNanoseconds, long MemoryBytes);

/// <summary>Samples of pods, for Prometheus. Pure.</summary>
internal static class PodSamples
{
    private const double NanosecondsPerSecond = 1e9;

    public static IEnumerable<MetricSample> Of(IEnumerable<ContainerReading> containers)
    {
        var all = containers.OrderBy(each => (each.Namespace, each.Pod, each.Container)).ToList();
        yield return new MetricSample("godwit_agent_pods", "gauge", "Pods of which something runs on this node.", all.DistinctBy(each => each.Uid).Count());
        foreach (var each in all)
        {
            (string, string)[] labels = [("namespace", each.Namespace), ("pod", each.Pod), ("uid", each.Uid), ("container", each.Container)];
            yield return new MetricSample("godwit_pod_container_cpu_seconds_total", "counter", "CPU time of the container since it was started.", each.CpuNanoseconds / NanosecondsPerSecond, labels);
            yield return new MetricSample("godwit_pod_container_memory_bytes", "gauge", "Memory of the container without files that can be dropped.", each.MemoryBytes, labels);
            yield return new MetricSample("godwit_pod_container_restarts_total", "counter", "How often the container was started anew.", each.Restarts, labels);
        }
    }
}
