using System.Globalization;
using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads.Revisions;

namespace Godwit.Controllers.Workloads.StatefulSets;

/// <summary>The pods of a stateful set: each has a number, and with it a name, a host name and a place in the order. The server takes a name once, so there are never two of a number.</summary>
internal static class StatefulPods
{
    private const string NameLabel = "statefulset.kubernetes.io/pod-name";
    private const string IndexLabel = "apps.kubernetes.io/pod-index";

    /// <summary>The pod of that number, of that revision's template.</summary>
    public static Pod Make(StatefulSet set, int ordinal, ControllerRevision revision)
    {
        var name = NameOf(set, ordinal);
        var labels = new Dictionary<string, string>
        {
            [NameLabel] = name,
            [IndexLabel] = ordinal.ToString(CultureInfo.InvariantCulture),
            [RevisionPlanner.HashLabel] = revision.Metadata.Name,
        };
        var pod = PodTemplates.PodOf(RevisionPlanner.TemplateOf(revision), set, name, labels);
        return pod with { Spec = StatefulClaims.WithVolumes(set, ordinal, pod.Spec) with { Hostname = name, Subdomain = set.Spec.ServiceName } };
    }

    public static string NameOf(StatefulSet set, int ordinal) => string.Create(CultureInfo.InvariantCulture, $"{set.Metadata.Name}-{ordinal}");

    /// <summary>The number in a pod's name; null when it has none, and is not the set's.</summary>
    public static int? OrdinalOf(StatefulSet set, Pod pod) => OrdinalOf(set, pod.Metadata.Name);

    public static int? OrdinalOf(StatefulSet set, string name)
    {
        var prefix = set.Metadata.Name + "-";
        return name.StartsWith(prefix, StringComparison.Ordinal) && int.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var ordinal) && name == NameOf(set, ordinal)
            ? ordinal
            : null;
    }

    public static string? RevisionOf(Pod pod) => pod.Metadata.Labels.GetValueOrDefault(RevisionPlanner.HashLabel);
}
