using Godwit.Api.Core.V1;

namespace Godwit.Node.Pods;

/// <summary>Containers that somebody added to a pod to look into it (<c>kubectl debug</c>): each runs once, and neither its start nor its end means anything to the pod. Pure.</summary>
internal static class EphemeralContainers
{
    public static IEnumerable<Container> Of(Pod pod) => pod.Spec.EphemeralContainers.Select(each => new Container
    {
        Name = each.Name,
        Image = each.Image,
        ImagePullPolicy = each.ImagePullPolicy,
        Command = each.Command,
        Args = each.Args,
        WorkingDir = each.WorkingDir,
        Env = each.Env,
        EnvFrom = each.EnvFrom,
        VolumeMounts = each.VolumeMounts,
        SecurityContext = each.SecurityContext,
        Stdin = each.Stdin,
        StdinOnce = each.StdinOnce,
        Tty = each.Tty,
    });

    public static bool Has(Pod pod, string name) => pod.Spec.EphemeralContainers.Any(each => each.Name == name);

    /// <summary>Whose processes it sees beside its own; null: nobody's.</summary>
    public static string? TargetOf(Pod pod, string name) =>
        pod.Spec.EphemeralContainers.FirstOrDefault(each => each.Name == name)?.TargetContainerName is { Length: > 0 } target ? target : null;
}
