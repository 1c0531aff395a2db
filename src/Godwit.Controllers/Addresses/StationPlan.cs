namespace Godwit.Controllers.Addresses;

/// <summary>
/// Gives each node an address of its own beside guests and pods: what the node itself says to them, or says for a client of a service,
/// comes from there. It is the node's until its object is gone.
/// </summary>
internal static class StationPlanner
{
    /// <summary>True for a node that is to have an address and has none. Not before its agent has reported once: its first writes follow each other at once, and ours would come between them.</summary>
    public static bool IsWanting(Node node) =>
        string.IsNullOrEmpty(AddressOf(node)) && node.Metadata.DeletionTimestamp is null && node.Status.Conditions.Any(condition => condition.Type == "Ready");

    public static string? AddressOf(Node node) => node.Metadata.Annotations.GetValueOrDefault(AnnotationNames.StationAddress);

    public static IEnumerable<string> TakenBy(IEnumerable<Node> nodes) => nodes.Select(AddressOf).OfType<string>();

    /// <param name="node">One that <see cref="IsWanting"/>.</param>
    /// <param name="taken">Addresses of all guests, pods and nodes.</param>
    /// <param name="settings">The ConfigMap of the network; null when there is none.</param>
    public static PodAddressPlan For(Node node, IReadOnlySet<string> taken, ConfigMap? settings) =>
        !AddressPool.TryRead(settings, out var pool, out var error) ? new PodAddressPlan.Wait(AddressPlanner.PoolMissing, error)
        : pool.FindFree($"node/{node.Metadata.Name}", taken.Contains) is { } address ? new PodAddressPlan.Assign(address)
        : new PodAddressPlan.Wait(AddressPlanner.PoolExhausted, $"all {pool.Capacity} addresses of the guests' network are in use");
}
