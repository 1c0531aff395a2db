using System.Globalization;
using System.Text;
using Godwit.Api.Core.V1;
using Godwit.Linux.Hosts;

namespace Godwit.Node.Pods;

/// <summary>What a pod's containers may be told of their pod (the downward API). Pure but for the host's size, which is what a container without limits may use.</summary>
internal static class PodFields
{
    /// <exception cref="PodConfigException">There is no such field.</exception>
    public static string Field(Pod pod, string path, string hostAddress) => path switch
    {
        "metadata.name" => pod.Metadata.Name,
        "metadata.namespace" => pod.Metadata.Namespace,
        "metadata.uid" => pod.Metadata.Uid,
        "metadata.labels" => Lines(pod.Metadata.Labels),
        "metadata.annotations" => Lines(pod.Metadata.Annotations),
        "spec.nodeName" => pod.Spec.NodeName ?? "",
        "spec.serviceAccountName" => pod.Spec.ServiceAccountName ?? "default",
        "status.hostIP" or "status.hostIPs" => hostAddress,
        "status.podIP" or "status.podIPs" => pod.Spec.HostNetwork == true ? hostAddress : pod.Status.PodIP ?? "",
        _ when Key(path, "metadata.labels") is { } label => pod.Metadata.Labels.GetValueOrDefault(label, ""),
        _ when Key(path, "metadata.annotations") is { } annotation => pod.Metadata.Annotations.GetValueOrDefault(annotation, ""),
        _ => throw new PodConfigException($"the field path '{path}' is none that a container can be told"),
    };

    /// <exception cref="PodConfigException">There is no such container or resource.</exception>
    public static string Resource(Pod pod, Container own, ResourceFieldSelector selector)
    {
        var container = string.IsNullOrEmpty(selector.ContainerName) ? own
            : pod.Spec.Containers.Concat(pod.Spec.InitContainers).FirstOrDefault(each => each.Name == selector.ContainerName)
                ?? throw new PodConfigException($"there is no container {selector.ContainerName} whose resources could be told");
        var value = selector.Resource switch
        {
            "limits.cpu" => PodResources.Limit(container, Quantities.Cpu) ?? HostFacts.CpuCount,
            "limits.memory" => PodResources.Limit(container, Quantities.Memory) ?? HostFacts.MemoryBytes,
            "requests.cpu" => PodResources.Request(container, Quantities.Cpu) ?? 0,
            "requests.memory" => PodResources.Request(container, Quantities.Memory) ?? 0,
            _ => throw new PodConfigException($"'{selector.Resource}' is no resource that a container can be told: limits or requests of cpu or memory"),
        };
        var divisor = selector.Divisor is { Value: > 0 } given ? given.Value : 1;
        return Math.Ceiling(value / divisor).ToString("0", CultureInfo.InvariantCulture);
    }

    /// <summary>Replaces <c>$(NAME)</c> by its value where there is one; <c>$$</c> is a dollar sign.</summary>
    public static string Expand(string text, IReadOnlyDictionary<string, string> values)
    {
        var expanded = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '$' || i + 1 == text.Length)
            {
                expanded.Append(text[i]);
            }
            else if (text[i + 1] == '$')
            {
                expanded.Append('$');
                i++;
            }
            else if (text[i + 1] == '(' && text.IndexOf(')', i) is > 0 and var end)
            {
                var name = text[(i + 2)..end];
                expanded.Append(values.TryGetValue(name, out var value) ? value : text[i..(end + 1)]);
                i = end;
            }
            else
            {
                expanded.Append('$');
            }
        }

        return expanded.ToString();
    }

    private static string? Key(string path, string map) =>
        path.StartsWith(map + "['", StringComparison.Ordinal) && path.EndsWith("']", StringComparison.Ordinal) ? path[(map.Length + 2)..^2] : null;

    private static string Lines(IReadOnlyDictionary<string, string> map)
    {
        var lines = new StringBuilder();
        foreach (var (name, value) in map.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            var quoted = value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
            lines.Append(CultureInfo.InvariantCulture, $"{name}=\"{quoted}\"\n");
        }

        return lines.ToString();
    }
}

/// <summary>A pod asks for what cannot be given, now or at all. It is tried again: what is missing may come.</summary>
internal sealed class PodConfigException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>As Kubernetes says it.</summary>
    public string Reason { get; init; } = "CreateContainerConfigError";
}
