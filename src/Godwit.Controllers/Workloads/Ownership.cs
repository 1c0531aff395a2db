using Godwit.Api.Machinery.Selectors;

namespace Godwit.Controllers.Workloads;

/// <summary>Whose pods are whose: by the controller reference in a pod, which follows its labels.</summary>
internal static class Ownership
{
    /// <summary>Sorts pods by an owner's selector.</summary>
    /// <param name="owner">Who keeps pods.</param>
    /// <param name="selector">Which.</param>
    /// <param name="pods">Pods of its namespace, or more.</param>
    /// <returns>Those it keeps, those it can take because nobody has them, those that it must let go because they are no longer selected.</returns>
    public static (List<Pod> Own, List<Pod> Adopt, List<Pod> Release) Sort(Resource owner, LabelSelector selector, IEnumerable<Pod> pods)
    {
        var (own, adopt, release) = (new List<Pod>(), new List<Pod>(), new List<Pod>());
        foreach (var pod in pods)
        {
            if (pod.Metadata.Namespace != owner.Metadata.Namespace)
            {
                continue;
            }

            var controller = PodFacts.ControllerOf(pod);
            var isSelected = !selector.MatchesEverything && selector.Matches(pod.Metadata.Labels);
            if (controller?.Uid == owner.Metadata.Uid)
            {
                (isSelected ? own : release).Add(pod);
            }
            else if (controller is null && isSelected && PodFacts.IsActive(pod))
            {
                adopt.Add(pod);
            }
        }

        return (own, adopt, release);
    }
}
