using System.Globalization;
using Godwit.Api.Core.V1;
using Godwit.Containers;
using Godwit.Images;
using Godwit.Linux.Hosts;
using NamespaceSpec = Godwit.Containers.NamespaceSpec;

namespace Godwit.Node.Pods;

/// <summary>A pod's container, as the engine is asked for it. Pure.</summary>
internal static class PodContainers
{
    public const string UidLabel = "io.kubernetes.pod.uid";
    public const string NamespaceLabel = "io.kubernetes.pod.namespace";
    public const string PodLabel = "io.kubernetes.pod.name";
    public const string ContainerLabel = "io.kubernetes.container.name";
    public const string AttemptLabel = "io.kubernetes.container.restart-count";
    public const string StreakLabel = "godwit.dev/short-runs";

    private const long LogBytesMax = 10L << 20;
    private const int LogFilesMax = 5;
    private const string ControlGroupRoot = "pods";

    /// <summary>The one name of this attempt: the engine takes it once.</summary>
    public static string NameOf(Pod pod, string container, int attempt) => string.Create(CultureInfo.InvariantCulture, $"{container}_{pod.Metadata.Uid}_{attempt}");

    public static string ControlGroupOf(string root, Pod pod) =>
        $"{root}/{ControlGroupRoot}/{PodResources.QualityOf(pod).ToLowerInvariant()}/pod{pod.Metadata.Uid}";

    /// <summary>One of this engine's containers, read back; null when it is no pod's.</summary>
    public static (string Uid, PodRun Run)? Read(ContainerSnapshot container)
    {
        var labels = container.Spec.Labels;
        return labels.TryGetValue(UidLabel, out var uid) && labels.TryGetValue(ContainerLabel, out var name)
            && int.TryParse(labels.GetValueOrDefault(AttemptLabel), NumberStyles.None, CultureInfo.InvariantCulture, out var attempt)
            && int.TryParse(labels.GetValueOrDefault(StreakLabel), NumberStyles.None, CultureInfo.InvariantCulture, out var streak)
                ? (uid, new PodRun(container.Id.Value, name, attempt, streak, container.State) { ImageId = container.Spec.ImageId })
                : null;
    }

    /// <exception cref="PodConfigException">It asks for what is not there, or not allowed.</exception>
    public static ContainerSpec Build(Pod pod, PodStep.Start start, PodContainerFacts facts)
    {
        var container = start.Container;
        var (podContext, context) = (pod.Spec.SecurityContext, container.SecurityContext);
        Check(pod, container, facts);
        var spec = new ContainerSpec
        {
            Image = container.Image ?? "",
            ImageId = facts.Image.Id.ToString(),
            HostName = facts.HostName,
            Labels = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [UidLabel] = pod.Metadata.Uid,
                [NamespaceLabel] = pod.Metadata.Namespace,
                [PodLabel] = pod.Metadata.Name,
                [ContainerLabel] = container.Name,
                [AttemptLabel] = start.Attempt.ToString(CultureInfo.InvariantCulture),
                [StreakLabel] = start.Streak.ToString(CultureInfo.InvariantCulture),
            },
            Process = new ProcessSpec
            {
                Entrypoint = [.. container.Command.Select(word => PodFields.Expand(word, facts.Environment))],
                Command = [.. container.Args.Select(word => PodFields.Expand(word, facts.Environment))],
                Environment = [.. facts.Environment.Select(pair => $"{pair.Key}={pair.Value}")],
                WorkingDirectory = container.WorkingDir ?? "",
                User = UserOf(podContext, context),
                SupplementaryGroups = GroupsOf(podContext),
                Terminal = container.Tty == true,
                OpenStandardInput = container.Stdin == true,
                StandardInputOnce = container.StdinOnce == true,
            },
            Resources = PodResources.ForContainer(pod, container, HostFacts.MemoryBytes),
            Mounts = facts.Mounts,
            Network = new NetworkSpec { Mode = NetworkMode.Sandbox, Sandbox = pod.Metadata.Uid },
            Isolation = IsolationOf(pod, context, facts),
            Log = new LogSpec { SizeBytesMax = LogBytesMax, FilesMax = LogFilesMax },
        };
        var whole = SpecDefaults.Apply(spec, facts.Image.Config.Config);
        // Of the image's volumes and health check a pod makes no use.
        return whole with { HealthCheck = null, Mounts = spec.Mounts };
    }

    private static IsolationSpec IsolationOf(Pod pod, SecurityContext? context, PodContainerFacts facts) => new()
    {
        Privileged = context?.Privileged == true,
        CapabilitiesAdded = context?.Capabilities?.Add ?? [],
        CapabilitiesDropped = context?.Capabilities?.Drop ?? [],
        NoNewPrivileges = context?.AllowPrivilegeEscalation == false,
        ReadOnlyRoot = context?.ReadOnlyRootFilesystem == true,
        SystemCalls = (context?.SeccompProfile ?? pod.Spec.SecurityContext?.SeccompProfile)?.Type == "Unconfined" ? new SystemCallFilter.None() : new SystemCallFilter.Standard(),
        KernelSettings = (pod.Spec.SecurityContext?.Sysctls ?? []).ToDictionary(setting => setting.Name, setting => setting.Value, StringComparer.Ordinal),
        ProcessNamespace = pod.Spec.HostPID == true ? NamespaceSpec.Host : facts.Target is { } target ? new NamespaceSpec.OfContainer(target) : NamespaceSpec.Own,
        IpcNamespace = pod.Spec.HostIPC == true ? NamespaceSpec.Host : new NamespaceSpec.OfSandbox(),
        HostNameNamespace = new NamespaceSpec.OfSandbox(),
        ParentControlGroup = facts.ControlGroup,
    };

    /// <summary>What it asks for and this node does not have, with what there is in its place; null: nothing.</summary>
    internal static string? FindUnsupported(Pod pod, Container container) => (pod.Spec, container) switch
    {
        ({ ShareProcessNamespace: true }, _) => "shareProcessNamespace is not supported: containers of a pod share network, communication and name, not their processes",
        ({ HostNetwork: not true }, _) when container.Ports.Any(port => port.HostPort is > 0) =>
            "hostPort is not supported: use hostNetwork, or reach the pod by its own address",
        _ when (container.SecurityContext?.SeccompProfile ?? pod.Spec.SecurityContext?.SeccompProfile)?.Type == "Localhost" =>
            "seccomp profiles of the host (type Localhost) are not supported: RuntimeDefault and Unconfined are",
        _ => null,
    };

    private static void Check(Pod pod, Container container, PodContainerFacts facts)
    {
        if (FindUnsupported(pod, container) is { } unsupported)
        {
            throw new PodConfigException(unsupported);
        }

        var nonRoot = container.SecurityContext?.RunAsNonRoot ?? pod.Spec.SecurityContext?.RunAsNonRoot;
        var user = UserOf(pod.Spec.SecurityContext, container.SecurityContext) is { Length: > 0 } own ? own : facts.Image.Config.Config?.User ?? "";
        if (nonRoot != true)
        {
            return;
        }

        if (user.Split(':')[0] is "" or "0" or "root")
        {
            throw new PodConfigException("container has runAsNonRoot and image will run as root");
        }

        if (!user.Split(':')[0].All(char.IsAsciiDigit))
        {
            throw new PodConfigException($"container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root");
        }
    }

    private static string UserOf(PodSecurityContext? pod, SecurityContext? own)
    {
        var (user, group) = (own?.RunAsUser ?? pod?.RunAsUser, own?.RunAsGroup ?? pod?.RunAsGroup);
        return (user, group) switch
        {
            (null, null) => "",
            ({ } id, null) => id.ToString(CultureInfo.InvariantCulture),
            _ => string.Create(CultureInfo.InvariantCulture, $"{user ?? 0}:{group}"),
        };
    }

    private static IReadOnlyList<string> GroupsOf(PodSecurityContext? pod) =>
        [.. (pod?.SupplementalGroups ?? []).Concat(pod?.FsGroup is { } own ? [own] : []).Select(group => group.ToString(CultureInfo.InvariantCulture))];
}

/// <summary>What was found and made for a container before it is.</summary>
internal sealed record PodContainerFacts
{
    public required StoredImage Image { get; init; }

    public required string HostName { get; init; }

    public required string ControlGroup { get; init; }

    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    public required IReadOnlyList<MountSpec> Mounts { get; init; }

    /// <summary>The engine's id of the container whose processes it shall see; null: none.</summary>
    public string? Target { get; init; }
}
