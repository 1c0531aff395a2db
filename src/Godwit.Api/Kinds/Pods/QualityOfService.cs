using Godwit.Api.Core.V1;

namespace Godwit.Api.Kinds.Pods;

/// <summary>
/// In which order pods give way when a node runs short: best effort first, guaranteed last. Guaranteed means that every
/// container has limits of CPU and memory equal to its requests; best effort, that none has any.
/// Source: Kubernetes documentation, "Pod Quality of Service Classes".
/// </summary>
public static class QualityOfService
{
    public const string Guaranteed = "Guaranteed";
    public const string Burstable = "Burstable";
    public const string BestEffort = "BestEffort";

    private static readonly string[] Counted = [Quantities.Cpu, Quantities.Memory];

    public static string Of(PodSpec spec)
    {
        var resources = spec.InitContainers.Concat(spec.Containers).Select(container => container.Resources ?? new ContainerResources()).ToList();
        return resources.All(IsFree) ? BestEffort : resources.All(IsFixed) ? Guaranteed : Burstable;
    }

    private static bool IsFree(ContainerResources resources) =>
        Counted.All(name => !(resources.Requests.TryGetValue(name, out var request) && request.Value > 0) && !(resources.Limits.TryGetValue(name, out var limit) && limit.Value > 0));

    private static bool IsFixed(ContainerResources resources) =>
        Counted.All(name => resources.Limits.TryGetValue(name, out var limit) && limit.Value > 0 && (!resources.Requests.TryGetValue(name, out var request) || request == limit));
}
