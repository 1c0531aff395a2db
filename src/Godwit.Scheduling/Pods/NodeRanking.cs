namespace Godwit.Scheduling.Pods;

/// <summary>
/// What every node is to pods that are alike, kept from one of them to the next: a deployment's pods come by the hundred, and the place of one changes for the next what is to be said of that
/// one node alone. It gives the answers of <see cref="PodPlacement.For"/>, of which each would look at all nodes again.
/// <para>Only for pods whose place depends on each node by itself, in a cluster where the same holds for what is there already: affinity among pods, spread, volumes and
/// wishes of nodes to be avoided tie nodes together. Not for use by several at a time.</para>
/// </summary>
internal sealed class NodeRanking
{
    private readonly PodNeeds pod;
    private readonly bool[] fits;
    private readonly double[] room;
    private readonly double[] siblings;
    private bool isTrue = true;

    private NodeRanking(PodNeeds pod, int nodes)
    {
        this.pod = pod;
        fits = new bool[nodes];
        room = new double[nodes];
        siblings = new double[nodes];
    }

    /// <summary>Null where nodes cannot be judged one by one.</summary>
    public static NodeRanking? Of(PodNeeds pod, ClusterSnapshot cluster)
    {
        if (!StandsAlone(pod))
        {
            return null;
        }

        var ranking = new NodeRanking(pod, cluster.Nodes.Count);
        for (var i = 0; i < cluster.Nodes.Count && ranking.isTrue; i++)
        {
            ranking.Judge(i, cluster);
        }

        return ranking.isTrue ? ranking : null;
    }

    /// <summary>Whether what is said here is said of this pod too.</summary>
    public bool IsOf(PodNeeds other) =>
        isTrue && (ReferenceEquals(pod, other) || (StandsAlone(other) && other.Amount == pod.Amount && other.OwnerUid == pod.OwnerUid && other.IsNetworked == pod.IsNetworked
            && other.Tolerations.SequenceEqual(pod.Tolerations) && AreSame(other.NodeSelector, pod.NodeSelector) && AreSame(other.Others, pod.Others)));

    /// <summary>What is on the node at this place of <see cref="ClusterSnapshot.Nodes"/> has changed, and nothing else has.</summary>
    public void Judge(int index, ClusterSnapshot cluster)
    {
        var (node, load) = (cluster.Nodes[index], cluster.LoadAt(index));
        if (load.Repellers.Length > 0 || PodScore.AvoidedBy(pod, node) > 0)
        {
            isTrue = false;
            return;
        }

        fits[index] = PodCheck.FindObstacles(pod, node, load).Count == 0;
        room[index] = PodScore.RoomScore(pod, node, load);
        siblings[index] = PodScore.SiblingsAt(pod, load);
    }

    /// <summary>The place of the best node, of equals the first; null when none fits.</summary>
    public int? Best()
    {
        var (least, most) = (double.MaxValue, double.MinValue);
        for (var i = 0; i < fits.Length; i++)
        {
            if (fits[i])
            {
                (least, most) = (Math.Min(least, siblings[i]), Math.Max(most, siblings[i]));
            }
        }

        var (best, bestScore) = (-1, double.MinValue);
        for (var i = 0; i < fits.Length; i++)
        {
            if (fits[i] && PodScore.Stretch(siblings[i], least, most, PodScore.SiblingsWeight, isMoreBetter: false) + room[i] is var score && score > bestScore)
            {
                (best, bestScore) = (i, score);
            }
        }

        return best < 0 ? null : best;
    }

    private static bool StandsAlone(PodNeeds pod) =>
        pod.Volumes is null && pod.HostPorts.Count == 0 && pod.RequiredNodeTerms is null && pod.PreferredNodeTerms.Count == 0 && pod.Spread.Count == 0
        && pod.RequiredNear.Count == 0 && pod.RequiredAway.Count == 0 && pod.PreferredNear.Count == 0 && pod.PreferredAway.Count == 0;

    private static bool AreSame<T>(IReadOnlyDictionary<string, T> one, IReadOnlyDictionary<string, T> other) =>
        one.Count == other.Count && (one.Count == 0 || one.All(pair => other.TryGetValue(pair.Key, out var value) && EqualityComparer<T>.Default.Equals(pair.Value, value)));
}
