namespace Godwit.Scheduling.Pods;

/// <summary>
/// Whether a node can run a pod, as far as that can be said of the node alone; <see cref="Neighbourhood"/> says the rest. The
/// answers are clauses that people know from Kubernetes, so that what they learned there helps here.
/// </summary>
public static class PodCheck
{
    /// <summary>
    /// What stands against it, the first kind of obstacle only; none means that it fits. A node short of several resources
    /// says so of each.
    /// </summary>
    public static IReadOnlyList<string> FindObstacles(PodNeeds pod, NodeFacts node, NodeLoad load)
    {
        if (FindStateObstacle(pod, node) is { } state)
        {
            return [state];
        }

        if (!MatchesNodeAffinity(pod, node))
        {
            return ["node(s) didn't match Pod's node affinity/selector"];
        }

        if (Clashes(pod.HostPorts, load))
        {
            return ["node(s) didn't have free ports for the requested pod ports"];
        }

        return FindRoomObstacles(pod, node, load) ?? (IReadOnlyList<string>)[];
    }

    /// <summary>Whether the node meets the pod's node selector and required node affinity.</summary>
    public static bool MatchesNodeAffinity(PodNeeds pod, NodeFacts node)
    {
        if (pod.NodeSelector.Count > 0)
        {
            foreach (var (label, value) in pod.NodeSelector)
            {
                if (!node.Labels.TryGetValue(label, out var has) || has != value)
                {
                    return false;
                }
            }
        }

        return pod.RequiredNodeTerms is not { } terms || terms.Any(term => term.Matches(node));
    }

    internal static Taint? FindUntoleratedTaint(PodNeeds pod, NodeFacts node)
    {
        for (var i = 0; i < node.Taints.Count; i++)
        {
            var taint = node.Taints[i];
            if (taint.Effect is TaintEffects.NoSchedule or TaintEffects.NoExecute && !TolerationCheck.Tolerates(pod.Tolerations, taint))
            {
                return taint;
            }
        }

        return null;
    }

    private static string? FindStateObstacle(PodNeeds pod, NodeFacts node)
    {
        if (node.IsCordoned && !TolerationCheck.Tolerates(pod.Tolerations, new Taint { Key = TaintKeys.Unschedulable, Effect = TaintEffects.NoSchedule }))
        {
            return "node(s) were unschedulable";
        }

        if (FindUntoleratedTaint(pod, node) is { } taint)
        {
            return $"node(s) had untolerated taint {{{taint.Key}: {taint.Value}}}";
        }

        if (!node.IsReady && !TolerationCheck.Tolerates(pod.Tolerations, new Taint { Key = TaintKeys.NotReady, Effect = TaintEffects.NoSchedule }))
        {
            return "node(s) were not ready";
        }

        return pod.IsNetworked && !node.HasNetwork ? "node(s) were no members of the pods' network" : null;
    }

    private static bool Clashes(IReadOnlyList<HostPort> wanted, NodeLoad load)
    {
        if (wanted.Count == 0 || load.HostPorts.Length == 0)
        {
            return false;
        }

        return wanted.Any(port => load.HostPorts.Any(port.Clashes));
    }

    private static List<string>? FindRoomObstacles(PodNeeds pod, NodeFacts node, NodeLoad load)
    {
        List<string>? found = null; // Nothing is made for the many nodes against which nothing stands.
        if (node.PodsMax is { } most && load.Count >= most)
        {
            (found ??= []).Add("Too many pods");
        }

        var free = node.Allocatable - load.Reserved;
        if (pod.Amount.Millicores > 0 && pod.Amount.Millicores > free.Millicores)
        {
            (found ??= []).Add("Insufficient cpu");
        }

        if (pod.Amount.MemoryBytes > 0 && pod.Amount.MemoryBytes > free.MemoryBytes)
        {
            (found ??= []).Add("Insufficient memory");
        }

        if (pod.Others.Count > 0)
        {
            foreach (var (name, amount) in pod.Others)
            {
                if (amount > 0 && IsShort(node, load, name, amount))
                {
                    (found ??= []).Add($"Insufficient {name}");
                }
            }
        }

        return found;
    }

    /// <summary>Local disk that an agent has not reported is no obstacle; a device that it has not reported is not there.</summary>
    private static bool IsShort(NodeFacts node, NodeLoad load, string name, long amount) =>
        node.Others.TryGetValue(name, out var has) ? amount > has - load.Others.GetValueOrDefault(name) : name != Quantities.EphemeralStorage;
}
