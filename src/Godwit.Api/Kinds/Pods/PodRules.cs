using System.Net;
using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds.Pods;

/// <summary>What a pod's spec must hold beyond its schema, for pods and for templates.</summary>
internal static class PodRules
{
    private const string HostnameLabel = "kubernetes.io/hostname";

    /// <param name="spec">The spec, with its defaults.</param>
    /// <param name="path">Where it stands in its object.</param>
    public static IEnumerable<FieldError> Validate(PodSpec spec, string path)
    {
        if (spec.Containers.Count == 0)
        {
            yield return FieldError.Required($"{path}.containers", "at least one container");
        }

        if (spec.TerminationGracePeriodSeconds is < 0)
        {
            yield return FieldError.Invalid($"{path}.terminationGracePeriodSeconds", spec.TerminationGracePeriodSeconds, "must be greater than or equal to 0");
        }

        if (spec.ActiveDeadlineSeconds is < 1)
        {
            yield return FieldError.Invalid($"{path}.activeDeadlineSeconds", spec.ActiveDeadlineSeconds, "must be greater than 0");
        }

        var volumes = spec.Volumes.Select(volume => volume.Name).ToHashSet(StringComparer.Ordinal);
        var errors = spec.Volumes.SelectMany((volume, index) => PodVolumeRules.Validate(volume, $"{path}.volumes[{index}]"))
            .Concat(ValidateContainers(spec, volumes, path))
            .Concat(ValidateNames(spec, path))
            .Concat(ValidateIdentity(spec, path))
            .Concat(ValidatePlacement(spec, path));
        foreach (var error in errors)
        {
            yield return error;
        }
    }

    /// <summary>Taints that are borne, in pods as in machines.</summary>
    public static IEnumerable<FieldError> ValidateTolerations(IReadOnlyList<Toleration> tolerations, string path)
    {
        for (var index = 0; index < tolerations.Count; index++)
        {
            var (toleration, where) = (tolerations[index], $"{path}[{index}]");
            if (toleration is { Operator: "Exists", Value.Length: > 0 })
            {
                yield return FieldError.Invalid($"{where}.value", toleration.Value, "must be empty when operator is Exists");
            }

            if (string.IsNullOrEmpty(toleration.Key) && toleration.Operator != "Exists")
            {
                yield return FieldError.Invalid($"{where}.operator", toleration.Operator, "must be Exists when key is empty, which means every taint");
            }
        }
    }

    /// <summary>Labels that a node must have.</summary>
    public static IEnumerable<FieldError> ValidateNodeSelector(IReadOnlyDictionary<string, string> selector, string path) =>
        MetadataRules.ValidateLabels(new JsonObject(selector.Select(entry => KeyValuePair.Create<string, JsonNode?>(entry.Key, entry.Value))), path);

    /// <summary>Terms that a node must meet one of, of pods as of volumes.</summary>
    public static IEnumerable<FieldError> ValidateNodeTerms(NodeSelector selector, string path) => selector.NodeSelectorTerms.Count == 0
        ? [FieldError.Required($"{path}.nodeSelectorTerms", "must have at least one node selector term")]
        : selector.NodeSelectorTerms.SelectMany((term, index) => ValidateNodeTerm(term, $"{path}.nodeSelectorTerms[{index}]"));

    private static IEnumerable<FieldError> ValidateContainers(PodSpec spec, HashSet<string> volumes, string path)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var all = spec.InitContainers.Select((container, index) => (container, $"{path}.initContainers[{index}]", ContainerRole.Init))
            .Concat(spec.Containers.Select((container, index) => (container, $"{path}.containers[{index}]", ContainerRole.Main)))
            .Concat(spec.EphemeralContainers.Select((container, index) => (ContainerRules.AsContainer(container), $"{path}.ephemeralContainers[{index}]", ContainerRole.Ephemeral)));
        foreach (var (container, where, role) in all)
        {
            if (!seen.Add(container.Name))
            {
                yield return FieldError.Duplicate($"{where}.name", container.Name);
            }

            foreach (var error in ContainerRules.Validate(container, where, role, volumes))
            {
                yield return error;
            }
        }

        var ports = spec.InitContainers.Concat(spec.Containers).SelectMany(container => container.Ports).Where(port => port.HostPort is > 0);
        foreach (var port in ports.GroupBy(port => (port.HostPort, port.Protocol, port.HostIP)).Where(group => group.Count() > 1))
        {
            yield return FieldError.Duplicate($"{path}.containers[*].ports[*].hostPort", port.Key.HostPort);
        }

        for (var index = 0; index < spec.EphemeralContainers.Count; index++)
        {
            if (spec.EphemeralContainers[index].Resources is { } asked && (asked.Requests.Count > 0 || asked.Limits.Count > 0))
            {
                yield return FieldError.Forbidden($"{path}.ephemeralContainers[{index}].resources", "cannot be set for an Ephemeral Container");
            }

            if (spec.EphemeralContainers[index].TargetContainerName is { Length: > 0 } target && spec.Containers.All(container => container.Name != target))
            {
                yield return FieldError.Invalid($"{path}.ephemeralContainers[{index}].targetContainerName", target, "must name one of the pod's containers");
            }
        }
    }

    private static IEnumerable<FieldError> ValidateNames(PodSpec spec, string path)
    {
        foreach (var (field, name) in new[] { ("hostname", spec.Hostname), ("subdomain", spec.Subdomain) })
        {
            if (name is { Length: > 0 } && Names.CheckDnsLabel(name) is { } wrong)
            {
                yield return FieldError.Invalid($"{path}.{field}", name, wrong);
            }
        }

        foreach (var (field, name) in new[] { ("nodeName", spec.NodeName), ("serviceAccountName", spec.ServiceAccountName), ("priorityClassName", spec.PriorityClassName) })
        {
            if (name is { Length: > 0 } && Names.CheckDnsSubdomain(name) is { } wrong)
            {
                yield return FieldError.Invalid($"{path}.{field}", name, wrong);
            }
        }

        for (var index = 0; index < spec.HostAliases.Count; index++)
        {
            if (!IPAddress.TryParse(spec.HostAliases[index].Ip, out _))
            {
                yield return FieldError.Invalid($"{path}.hostAliases[{index}].ip", spec.HostAliases[index].Ip, "must be a valid IP address");
            }
        }

        if (spec.DnsPolicy == "None" && spec.DnsConfig is not { Nameservers.Count: > 0 })
        {
            yield return FieldError.Required($"{path}.dnsConfig.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None");
        }
    }

    private static IEnumerable<FieldError> ValidateIdentity(PodSpec spec, string path)
    {
        var context = spec.SecurityContext;
        foreach (var (field, id) in new[] { ("runAsUser", context?.RunAsUser), ("runAsGroup", context?.RunAsGroup), ("fsGroup", context?.FsGroup) })
        {
            if (id is < 0 or > int.MaxValue)
            {
                yield return FieldError.Invalid($"{path}.securityContext.{field}", id, "must be between 0 and 2147483647, inclusive");
            }
        }

        if (spec is { ShareProcessNamespace: true, HostPID: true })
        {
            yield return FieldError.Invalid($"{path}.shareProcessNamespace", true, "ShareProcessNamespace and HostPID cannot both be enabled");
        }
    }

    private static IEnumerable<FieldError> ValidatePlacement(PodSpec spec, string path)
    {
        foreach (var error in ValidateNodeSelector(spec.NodeSelector, $"{path}.nodeSelector")
            .Concat(ValidateTolerations(spec.Tolerations, $"{path}.tolerations"))
            .Concat(ValidateNodeAffinity(spec.Affinity?.NodeAffinity, $"{path}.affinity.nodeAffinity"))
            .Concat(ValidatePodTerms(spec.Affinity?.PodAffinity?.RequiredDuringSchedulingIgnoredDuringExecution, spec.Affinity?.PodAffinity?.PreferredDuringSchedulingIgnoredDuringExecution, $"{path}.affinity.podAffinity"))
            .Concat(ValidatePodTerms(spec.Affinity?.PodAntiAffinity?.RequiredDuringSchedulingIgnoredDuringExecution, spec.Affinity?.PodAntiAffinity?.PreferredDuringSchedulingIgnoredDuringExecution, $"{path}.affinity.podAntiAffinity")))
        {
            yield return error;
        }

        for (var index = 0; index < spec.TopologySpreadConstraints.Count; index++)
        {
            var (constraint, where) = (spec.TopologySpreadConstraints[index], $"{path}.topologySpreadConstraints[{index}]");
            if (constraint.MaxSkew < 1)
            {
                yield return FieldError.Invalid($"{where}.maxSkew", constraint.MaxSkew, "must be greater than zero");
            }

            if (constraint.MinDomains is < 1)
            {
                yield return FieldError.Invalid($"{where}.minDomains", constraint.MinDomains, "must be greater than zero");
            }

            if (CheckTopologyKey(constraint.TopologyKey) is { } wrong)
            {
                yield return FieldError.Invalid($"{where}.topologyKey", constraint.TopologyKey, wrong);
            }
        }
    }

    private static IEnumerable<FieldError> ValidateNodeAffinity(NodeAffinity? affinity, string path)
    {
        var required = affinity?.RequiredDuringSchedulingIgnoredDuringExecution is { } wanted ? ValidateNodeTerms(wanted, $"{path}.requiredDuringSchedulingIgnoredDuringExecution") : [];
        var preferred = (affinity?.PreferredDuringSchedulingIgnoredDuringExecution ?? []).SelectMany((each, index) => ValidateNodeTerm(each.Preference, $"{path}.preferredDuringSchedulingIgnoredDuringExecution[{index}].preference"));
        foreach (var error in required.Concat(preferred).Concat(CheckWeights((affinity?.PreferredDuringSchedulingIgnoredDuringExecution ?? []).Select(each => each.Weight), path)))
        {
            yield return error;
        }
    }

    private static IEnumerable<FieldError> ValidateNodeTerm(NodeSelectorTerm term, string where)
    {
        for (var index = 0; index < term.MatchExpressions.Count; index++)
        {
            if (CheckExpression(term.MatchExpressions[index]) is { } wrong)
            {
                yield return FieldError.Invalid($"{where}.matchExpressions[{index}]", term.MatchExpressions[index].Key, wrong);
            }
        }
    }

    private static IEnumerable<FieldError> ValidatePodTerms(IReadOnlyList<PodAffinityTerm>? required, IReadOnlyList<WeightedPodAffinityTerm>? preferred, string path)
    {
        var terms = (required ?? []).Select((term, index) => (term, $"{path}.requiredDuringSchedulingIgnoredDuringExecution[{index}]"))
            .Concat((preferred ?? []).Select((weighted, index) => (weighted.PodAffinityTerm, $"{path}.preferredDuringSchedulingIgnoredDuringExecution[{index}].podAffinityTerm")));
        foreach (var (term, where) in terms)
        {
            if (CheckTopologyKey(term.TopologyKey) is { } wrong)
            {
                yield return FieldError.Invalid($"{where}.topologyKey", term.TopologyKey, wrong);
            }
        }

        foreach (var error in CheckWeights((preferred ?? []).Select(weighted => weighted.Weight), path))
        {
            yield return error;
        }
    }

    private static IEnumerable<FieldError> CheckWeights(IEnumerable<int> weights, string path) =>
        weights.Select((weight, index) => (weight, index)).Where(entry => entry.weight is < 1 or > 100)
            .Select(entry => FieldError.Invalid($"{path}.preferredDuringSchedulingIgnoredDuringExecution[{entry.index}].weight", entry.weight, "must be in the range 1-100"));

    private static string? CheckTopologyKey(string key) => key.Length == 0 ? $"must name a label of nodes, for example {HostnameLabel}" : Names.CheckQualifiedName(key);

    private static string? CheckExpression(NodeSelectorRequirement expression) => expression.Operator switch
    {
        "In" or "NotIn" when expression.Values.Count == 0 => "must have values for operators In and NotIn",
        "Exists" or "DoesNotExist" when expression.Values.Count > 0 => "must have no values for operators Exists and DoesNotExist",
        "Gt" or "Lt" when expression.Values.Count != 1 || !long.TryParse(expression.Values[0], System.Globalization.NumberStyles.AllowLeadingSign, System.Globalization.CultureInfo.InvariantCulture, out _) => "must have one whole number as value for operators Gt and Lt",
        _ => Names.CheckQualifiedName(expression.Key),
    };
}
