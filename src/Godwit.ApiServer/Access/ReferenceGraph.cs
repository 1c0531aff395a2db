using System.Runtime.InteropServices;

namespace Godwit.ApiServer.Access;

/// <summary>
/// Which node may read what, because it runs something that refers to it:
/// <code>
///   node ◀── placed ── workload (pod, guest) ── refers to ──▶ Secret, ConfigMap, ServiceAccount, claim ── has ──▶ volume
///     ▲                   ▲
///     └── target of a move of it
/// </code>
/// A pod is placed where it is bound, a guest where it runs, and a guest that moves also where it moves to. The graph
/// holds no more than the store holds objects. One writer, many readers: each call is whole.
/// </summary>
internal sealed class ReferenceGraph
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, HashSet<ObjectReference>> references = new(StringComparer.Ordinal);
    private readonly Dictionary<ObjectReference, string> volumes = [];
    private readonly Dictionary<string, Placement> placements = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<string, int>> byNode = new(StringComparer.Ordinal);

    /// <summary>Says what a workload refers to; nothing when the set is empty.</summary>
    public void SetReferences(string workload, HashSet<ObjectReference> found)
    {
        lock (gate)
        {
            if (found.Count == 0)
            {
                references.Remove(workload);
            }
            else
            {
                references[workload] = found;
            }
        }
    }

    /// <summary>Says which volume a claim has; null or empty: none.</summary>
    public void SetVolume(ObjectReference claim, string? volume)
    {
        lock (gate)
        {
            if (string.IsNullOrEmpty(volume))
            {
                volumes.Remove(claim);
            }
            else
            {
                volumes[claim] = volume;
            }
        }
    }

    /// <summary>Says where something puts a workload; one word of each <paramref name="source"/> holds, the last.</summary>
    /// <param name="source">What says so: the workload itself, or a move of it.</param>
    /// <param name="placement">Null: it says so no longer.</param>
    public void SetPlacement(string source, Placement? placement)
    {
        lock (gate)
        {
            if (placements.Remove(source, out var before))
            {
                Count(before, -1);
            }

            if (placement is { } now)
            {
                placements[source] = now;
                Count(now, 1);
            }
        }
    }

    /// <summary>Whether something on the node, or on its way there, refers to the object.</summary>
    public bool IsNeededBy(string node, ObjectReference wanted)
    {
        lock (gate)
        {
            if (!byNode.TryGetValue(node, out var workloads))
            {
                return false;
            }

            foreach (var workload in workloads.Keys)
            {
                if (references.TryGetValue(workload, out var found) && (found.Contains(wanted) || (wanted.Plural == ObjectReference.Volumes && HasVolume(found, wanted.Name))))
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Whether a workload is on the node or on its way there.</summary>
    public bool IsOn(string node, string workload)
    {
        lock (gate)
        {
            return byNode.TryGetValue(node, out var workloads) && workloads.ContainsKey(workload);
        }
    }

    private bool HasVolume(HashSet<ObjectReference> found, string volume)
    {
        foreach (var reference in found)
        {
            if (reference.Plural == ObjectReference.Claims && volumes.TryGetValue(reference, out var has) && has == volume)
            {
                return true;
            }
        }

        return false;
    }

    private void Count(Placement placement, int change)
    {
        ref var workloads = ref CollectionsMarshal.GetValueRefOrAddDefault(byNode, placement.Node, out _);
        workloads ??= new Dictionary<string, int>(StringComparer.Ordinal);
        ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(workloads, placement.Workload, out _);
        count += change;
        if (count == 0)
        {
            workloads.Remove(placement.Workload);
        }

        if (workloads.Count == 0)
        {
            byNode.Remove(placement.Node);
        }
    }
}

/// <summary>A workload, by its key in the store, on a node.</summary>
internal readonly record struct Placement(string Workload, string Node);
