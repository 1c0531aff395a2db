namespace Godwit.Scheduling.Pods;

/// <summary>
/// What the pods that are there already mean for one new pod: affinity both ways and spread. Counted once over the cluster
/// for each new pod, by place (the value of a term's topology label), and then asked for each node.
/// <para>A pod wants to be near others of which none is there: then it may begin anywhere, if it is one of those that it
/// wants to be near to. Otherwise the first of a group could never start.</para>
/// </summary>
internal sealed class Neighbourhood
{
    private readonly PodNeeds pod;
    private readonly Places[] near;
    private readonly Places[] away;
    private readonly List<(string TopologyKey, string Place)> repelled;
    private readonly Places[] preferredNear;
    private readonly Places[] preferredAway;
    private readonly (SpreadTerm Term, Places Places, int LeastCount)[] spread;
    private readonly bool mayBegin;

    private Neighbourhood(PodNeeds pod, ClusterSnapshot cluster)
    {
        this.pod = pod;

        // Only a pod that meets all of the terms is a neighbour in the sense of any.
        near = [.. pod.RequiredNear.Select(term => Places.Count(cluster, term.TopologyKey, other => pod.RequiredNear.All(each => each.Matches(other, cluster))))];
        away = Count(cluster, pod.RequiredAway);
        preferredNear = Count(cluster, pod.PreferredNear.Select(wish => wish.Term));
        preferredAway = Count(cluster, pod.PreferredAway.Select(wish => wish.Term));
        repelled = FindRepelled(pod, cluster);
        spread = [.. pod.Spread.Select(term => Spread(cluster, pod, term))];
        mayBegin = near.All(places => places.Total == 0) && pod.RequiredNear.All(term => term.Matches(pod, cluster));
    }

    public static Neighbourhood Of(PodNeeds pod, ClusterSnapshot cluster) => new(pod, cluster);

    /// <summary>What stands against the node; null when nothing does.</summary>
    public string? FindObstacle(NodeFacts node)
    {
        foreach (var (term, places, leastCount) in spread)
        {
            if (!term.IsRequired)
            {
                continue;
            }

            if (!places.Has(node))
            {
                return "node(s) didn't match pod topology spread constraints (missing required label)";
            }

            var self = term.Matches(pod, pod.Namespace) ? 1 : 0;
            if (places.CountAt(node) + self - leastCount > term.MaxSkew)
            {
                return "node(s) didn't match pod topology spread constraints";
            }
        }

        foreach (var places in near)
        {
            if (!places.Has(node) || (!mayBegin && places.CountAt(node) == 0))
            {
                return "node(s) didn't match pod affinity rules";
            }
        }

        foreach (var places in away)
        {
            if (places.CountAt(node) > 0)
            {
                return "node(s) didn't match pod anti-affinity rules";
            }
        }

        foreach (var (key, place) in repelled)
        {
            if (node.Labels.TryGetValue(key, out var here) && here == place)
            {
                return "node(s) didn't satisfy existing pods anti-affinity rules";
            }
        }

        return null;
    }

    /// <summary>How much the pod's wishes about its neighbours speak for the node; more is better, the unit is that of weights.</summary>
    public double WishFor(NodeFacts node)
    {
        var sum = 0.0;
        for (var i = 0; i < preferredNear.Length; i++)
        {
            sum += (double)pod.PreferredNear[i].Weight * preferredNear[i].CountAt(node);
        }

        for (var i = 0; i < preferredAway.Length; i++)
        {
            sum -= (double)pod.PreferredAway[i].Weight * preferredAway[i].CountAt(node);
        }

        return sum;
    }

    /// <summary>How crowded the node's places are by the terms of spread that are wishes; less is better.</summary>
    public double CrowdAt(NodeFacts node)
    {
        var sum = 0.0;
        foreach (var (term, places, _) in spread)
        {
            // A node outside all places is worse than the fullest place.
            sum += term.IsRequired ? 0 : places.Has(node) ? places.CountAt(node) : places.Total + 1;
        }

        return sum;
    }

    private static Places[] Count(ClusterSnapshot cluster, IEnumerable<PodTerm> terms) =>
        [.. terms.Select(term => Places.Count(cluster, term.TopologyKey, other => term.Matches(other, cluster)))];

    private static List<(string TopologyKey, string Place)> FindRepelled(PodNeeds pod, ClusterSnapshot cluster)
    {
        var found = new List<(string, string)>();
        for (var i = 0; i < cluster.Nodes.Count; i++)
        {
            foreach (var repeller in cluster.LoadAt(i).Repellers)
            {
                foreach (var term in repeller.RequiredAway)
                {
                    if (cluster.Nodes[i].Labels.TryGetValue(term.TopologyKey, out var place) && term.Matches(pod, cluster) && !found.Contains((term.TopologyKey, place)))
                    {
                        found.Add((term.TopologyKey, place));
                    }
                }
            }
        }

        return found;
    }

    private static (SpreadTerm Term, Places Places, int LeastCount) Spread(ClusterSnapshot cluster, PodNeeds pod, SpreadTerm term)
    {
        bool IsPlace(NodeFacts node) =>
            (!term.HonorsNodeAffinity || PodCheck.MatchesNodeAffinity(pod, node)) && (!term.HonorsTaints || PodCheck.FindUntoleratedTaint(pod, node) is null);
        var places = Places.Count(cluster, term.TopologyKey, other => term.Matches(other, pod.Namespace), IsPlace);
        return (term, places, places.Number < term.MinDomains ? 0 : places.Least);
    }
}

/// <summary>How many of some pods are at each value of one label of nodes.</summary>
internal sealed class Places
{
    private readonly string key;
    private readonly Dictionary<string, int> counts = new(StringComparer.Ordinal);

    private Places(string key) => this.key = key;

    public int Total { get; private set; }

    /// <summary>How many places there are, empty ones too.</summary>
    public int Number => counts.Count;

    /// <summary>The count at the emptiest; 0 without places.</summary>
    public int Least => counts.Count == 0 ? 0 : counts.Values.Min();

    public static Places Count(ClusterSnapshot cluster, string key, Func<PodNeeds, bool> counted, Func<NodeFacts, bool>? isPlace = null)
    {
        var places = new Places(key);
        for (var i = 0; i < cluster.Nodes.Count; i++)
        {
            var node = cluster.Nodes[i];
            if (!node.Labels.TryGetValue(key, out var place) || isPlace?.Invoke(node) == false)
            {
                continue;
            }

            var here = 0;
            foreach (var pod in cluster.LoadAt(i).Pods)
            {
                here += counted(pod) ? 1 : 0;
            }

            places.counts[place] = places.counts.GetValueOrDefault(place) + here;
            places.Total += here;
        }

        return places;
    }

    public bool Has(NodeFacts node) => node.Labels.TryGetValue(key, out var place) && counts.ContainsKey(place);

    public int CountAt(NodeFacts node) => node.Labels.TryGetValue(key, out var place) ? counts.GetValueOrDefault(place) : 0;
}
