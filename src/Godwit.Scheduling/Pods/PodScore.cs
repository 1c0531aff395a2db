namespace Godwit.Scheduling.Pods;

/// <summary>
/// Which of the nodes that fit is best. Each question gives 0 to 100 and has a weight; questions without a scale of their own
/// are stretched over the candidates.
/// <code>
///   question                                                    weight
///   taints that ask to stay away (PreferNoSchedule): fewer          3
///   the pod's wishes about nodes                                    2
///   the pod's wishes about neighbours                               2
///   pods of the same owner, and wishes about spread: fewer          2
///   memory and CPU that stay free                                   1
///   memory and CPU used in like shares                              1
/// </code>
/// Which images lie on a node is not reported, so it is not asked.
/// </summary>
internal static class PodScore
{
    /// <summary>How much it weighs that pods of one owner lie apart.</summary>
    public const double SiblingsWeight = 2;

    private const double Full = 100;

    /// <summary>The place in <see cref="ClusterSnapshot.Nodes"/> of the best of the candidates; of equals the first.</summary>
    public static int Best(PodNeeds pod, ClusterSnapshot cluster, Neighbourhood neighbours, IReadOnlyList<int> candidates)
    {
        if (candidates.Count == 1)
        {
            return candidates[0];
        }

        var scores = new double[candidates.Count];
        AddStretched(scores, candidates, 3, isMoreBetter: false, index => AvoidedBy(pod, cluster.Nodes[index]));
        if (pod.PreferredNodeTerms.Count > 0)
        {
            AddStretched(scores, candidates, 2, isMoreBetter: true, index => NodeWish(pod, cluster.Nodes[index]));
        }

        if (pod.PreferredNear.Count > 0 || pod.PreferredAway.Count > 0)
        {
            AddStretched(scores, candidates, 2, isMoreBetter: true, index => neighbours.WishFor(cluster.Nodes[index]));
        }

        if (pod.OwnerUid is not null || pod.Spread.Count > 0)
        {
            AddStretched(scores, candidates, SiblingsWeight, isMoreBetter: false, index => SiblingsAt(pod, cluster.LoadAt(index)) + neighbours.CrowdAt(cluster.Nodes[index]));
        }

        for (var i = 0; i < scores.Length; i++)
        {
            scores[i] += RoomScore(pod, cluster.Nodes[candidates[i]], cluster.LoadAt(candidates[i]));
        }

        var best = 0;
        for (var i = 1; i < scores.Length; i++)
        {
            if (scores[i] > scores[best])
            {
                best = i;
            }
        }

        return candidates[best];
    }

    private static void AddStretched(double[] scores, IReadOnlyList<int> candidates, double weight, bool isMoreBetter, Func<int, double> answer)
    {
        var answers = new double[scores.Length];
        for (var i = 0; i < scores.Length; i++)
        {
            answers[i] = answer(candidates[i]);
        }

        var (least, most) = (answers.Min(), answers.Max());
        for (var i = 0; i < scores.Length; i++)
        {
            scores[i] += Stretch(answers[i], least, most, weight, isMoreBetter);
        }
    }

    /// <summary>What an answer is worth beside the least and the most of all; where all are alike the question decides nothing.</summary>
    public static double Stretch(double answer, double least, double most, double weight, bool isMoreBetter) =>
        most > least ? weight * Full * (isMoreBetter ? answer - least : most - answer) / (most - least) : 0;

    public static double AvoidedBy(PodNeeds pod, NodeFacts node)
    {
        var count = 0;
        for (var i = 0; i < node.Taints.Count; i++)
        {
            count += node.Taints[i].Effect == TaintEffects.PreferNoSchedule && !TolerationCheck.Tolerates(pod.Tolerations, node.Taints[i]) ? 1 : 0;
        }

        return count;
    }

    private static double NodeWish(PodNeeds pod, NodeFacts node)
    {
        var sum = 0;
        for (var i = 0; i < pod.PreferredNodeTerms.Count; i++)
        {
            sum += pod.PreferredNodeTerms[i].Term.Matches(node) ? pod.PreferredNodeTerms[i].Weight : 0;
        }

        return sum;
    }

    public static double SiblingsAt(PodNeeds pod, NodeLoad load)
    {
        if (pod.OwnerUid is null)
        {
            return 0;
        }

        var count = 0;
        foreach (var other in load.Pods)
        {
            count += other.OwnerUid == pod.OwnerUid && !other.IsEnding ? 1 : 0;
        }

        return count;
    }

    public static double RoomScore(PodNeeds pod, NodeFacts node, NodeLoad load)
    {
        var weight = load.Weight + NodeLoad.WeightOf(pod.Amount);
        var memoryShare = Math.Min(1, (double)weight.MemoryBytes / Math.Max(1, node.Allocatable.MemoryBytes));
        var cpuShare = Math.Min(1, (double)weight.Millicores / Math.Max(1, node.Allocatable.Millicores));
        var free = Full * (2 - memoryShare - cpuShare) / 2;
        var balance = Full * (1 - (Math.Abs(memoryShare - cpuShare) / 2));
        return free + balance;
    }
}
