using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.Api.Documents;

/// <summary>A verb of an object that is no resource of its own: <c>virtualmachines/start</c>.</summary>
/// <param name="Group">The API group that serves it.</param>
/// <param name="Version">The version.</param>
/// <param name="Plural">The resource that it is part of.</param>
/// <param name="Name">The subresource, for example <c>start</c>.</param>
/// <param name="Kind">The kind that it is about.</param>
/// <param name="Verbs">What may be done with it, in the words of authorisation.</param>
public sealed record VerbSubresource(string Group, string Version, string Plural, string Name, string Kind, IReadOnlyList<string> Verbs)
{
    /// <summary>The group of <see cref="Kind"/>, where it is another than the resource's; its version is v1.</summary>
    public string? KindGroup { get; init; }
}

/// <summary>All that a server shows of itself: what discovery and the OpenAPI documents are made from.</summary>
public sealed record ApiSurface(
    IReadOnlyCollection<ResourceDefinition> Resources,
    IReadOnlyList<QuestionKind> Questions,
    IReadOnlyList<VerbSubresource> VerbSubresources)
{
    /// <summary>What a Godwit server serves.</summary>
    public static ApiSurface Godwit { get; } = new([.. BuiltInKinds.All, .. BuiltInKinds.Measured], BuiltInKinds.Questions,
    [
        new("", "v1", "pods", "attach", "PodAttachOptions", ["create", "get"]),
        new("", "v1", "pods", "binding", "Binding", ["create"]),
        new("", "v1", "pods", "ephemeralcontainers", "Pod", ["get", "patch", "update"]),
        new("", "v1", "pods", "eviction", "Eviction", ["create"]) { KindGroup = "policy" },
        new("", "v1", "pods", "exec", "PodExecOptions", ["create", "get"]),
        new("", "v1", "pods", "log", "Pod", ["get"]),
        new("", "v1", "pods", "portforward", "PodPortForwardOptions", ["create", "get"]),
        new("", "v1", "serviceaccounts", "token", "TokenRequest", ["create"]) { KindGroup = "authentication.k8s.io" },
        new(GroupName.KubeVirtSubresources, "v1", "virtualmachines", "start", "VirtualMachine", ["update"]),
        new(GroupName.KubeVirtSubresources, "v1", "virtualmachines", "stop", "VirtualMachine", ["update"]),
        new(GroupName.KubeVirtSubresources, "v1", "virtualmachines", "restart", "VirtualMachine", ["update"]),
        new(GroupName.KubeVirtSubresources, "v1", "virtualmachineinstances", "pause", "VirtualMachineInstance", ["update"]),
        new(GroupName.KubeVirtSubresources, "v1", "virtualmachineinstances", "suspend", "VirtualMachineInstance", ["update"]),
        new(GroupName.KubeVirtSubresources, "v1", "virtualmachineinstances", "unpause", "VirtualMachineInstance", ["update"]),
        new(GroupName.KubeVirtSubresources, "v1", "virtualmachineinstances", "console", "VirtualMachineInstance", ["get"]),
        new(GroupName.KubeVirtSubresources, "v1", "virtualmachineinstances", "log", "VirtualMachineInstance", ["get"]),
    ]);

    /// <summary>Every group and version, core first, then by name; of a group the preferred version first.</summary>
    internal IReadOnlyList<GroupVersion> GroupVersions =>
        [.. Resources.Select(resource => new GroupVersion(resource.Group, resource.Version))
            .Concat(Questions.Select(question => new GroupVersion(question.Type.Group, question.Type.Version)))
            .Concat(VerbSubresources.Select(verb => new GroupVersion(verb.Group, verb.Version)))
            .Distinct().OrderBy(version => version.Group, StringComparer.Ordinal).ThenByDescending(version => version.Maturity)];
}

internal readonly record struct GroupVersion(string Group, string Version)
{
    /// <summary>Which of two versions is the better one, as Kubernetes has it: released before beta before alpha, then the higher number.</summary>
    public (int Stage, int Number, int Draft) Maturity
    {
        get
        {
            var parts = Version[1..].Split(["alpha", "beta"], StringSplitOptions.None);
            var stage = Version.Contains("alpha", StringComparison.Ordinal) ? 0 : Version.Contains("beta", StringComparison.Ordinal) ? 1 : 2;
            return (stage, NumberOf(parts[0]), parts.Length > 1 ? NumberOf(parts[1]) : 0);
        }
    }

    public string Text => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>The path without a leading slash, as the OpenAPI v3 index names it: <c>api/v1</c>, <c>apis/apps/v1</c>.</summary>
    public string Path => Group.Length == 0 ? $"api/{Version}" : $"apis/{Group}/{Version}";

    private static int NumberOf(string text) => int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number) ? number : 0;
}

/// <summary>What may be done with the resources that the generic machinery serves.</summary>
internal static class Verbs
{
    public static readonly string[] Resource = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    public static readonly string[] Measured = ["get", "list"];
    public static readonly string[] Subresource = ["get", "patch", "update"];
    public static readonly string[] Question = ["create"];

    public static string[] Of(ResourceDefinition resource) => resource.IsMeasured ? Measured : Resource;
}
