using System.Globalization;
using System.Net;
using System.Reflection;
using System.Runtime.InteropServices;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Base;
using Godwit.Linux.Hosts;
using Godwit.Machines;
using Godwit.Node.Pods;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Registration;

/// <summary>What this host is and offers, read once or whenever it may have changed.</summary>
internal sealed record NodeDescription
{
    public required MachineHostFacts Machines { get; init; }

    public required IPEndPoint AgentEndpoint { get; init; }

    /// <summary>The first is the one that others use while they can.</summary>
    public required IReadOnlyList<IPEndPoint> PeerEndpoints { get; init; }

    public required IReadOnlyList<string> Images { get; init; }

    public required IReadOnlyList<string> StorageIds { get; init; }

    public required NodeSystemInfo System { get; init; }

    public required long MemoryBytes { get; init; }

    public required long DiskAvailableBytes { get; init; }

    public required long MemoryAvailableBytes { get; init; }

    public static NodeSystemInfo ReadSystem(MachineHostFacts machines) => new()
    {
        MachineId = HostFacts.MachineId,
        SystemUuid = HostFacts.MachineId,
        BootId = HostFacts.BootId.ToString("D"),
        KernelVersion = HostFacts.KernelRelease,
        OsImage = HostFacts.OperatingSystem,
        ContainerRuntimeVersion = $"qemu://{machines.QemuVersion}",
        KubeletVersion = "v" + (typeof(NodeDescription).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0.0.0"),
        OperatingSystem = "linux",
        Architecture = RuntimeInformation.OSArchitecture switch
        {
            Architecture.X64 => "amd64",
            Architecture.Arm64 => "arm64",
            var other => other.ToString().ToLowerInvariant(),
        },
    };
}

/// <summary>Writes a host's description into its Node object. Pure; what others wrote there (labels, taints, cordon) is kept.</summary>
internal static class NodeObject
{
    /// <summary>Labels and annotations.</summary>
    public static KubeNode WithMetadata(KubeNode node, AgentOptions options, NodeDescription description)
    {
        var labels = new Dictionary<string, string>(node.Metadata.Labels, StringComparer.Ordinal);
        foreach (var (name, value) in options.Labels)
        {
            labels[name] = value;
        }

        labels[LabelNames.Hostname] = options.Node.Value;
        labels[LabelNames.Architecture] = description.System.Architecture;
        labels[LabelNames.OperatingSystem] = description.System.OperatingSystem;

        var annotations = new Dictionary<string, string>(node.Metadata.Annotations, StringComparer.Ordinal)
        {
            [AnnotationNames.UnderlayAddress] = options.UnderlayAddress.ToString(),
            [AnnotationNames.PeerEndpoint] = string.Join(',', description.PeerEndpoints),
            [AnnotationNames.AgentEndpoint] = description.AgentEndpoint.ToString(),
            [AnnotationNames.Accelerator] = description.Machines.Accelerator == Accelerator.Kvm ? "kvm" : "tcg",
            [AnnotationNames.AcceleratorReason] = description.Machines.AcceleratorReason,
            [AnnotationNames.QemuVersion] = description.Machines.QemuVersion.ToString(),
            [AnnotationNames.MachineTypes] = string.Join(',', description.Machines.MachineTypes),
            [AnnotationNames.CpuFeatures] = string.Join(',', CpuFeatures(description.Machines)),
            [AnnotationNames.Images] = string.Join(',', description.Images),
            [AnnotationNames.VolumesFolder] = Pods.ClaimedVolumes.FolderOf(options.DataFolder),
            [AnnotationNames.StorageIds] = string.Join(',', description.StorageIds),
        };
        return node with { Metadata = node.Metadata with { Name = options.Node.Value, Labels = labels, Annotations = annotations } };
    }

    /// <summary>Status: what there is, what of it is offered, and how the node is.</summary>
    public static KubeNode WithStatus(KubeNode node, AgentOptions options, NodeDescription description, DateTimeOffset now)
    {
        var cpu = Quantity.FromCount(HostFacts.CpuCount);
        var offered = Math.Max(0, description.MemoryBytes - options.ReservedMemoryBytes);
        var status = node.Status with
        {
            Capacity = new Dictionary<string, Quantity>(StringComparer.Ordinal) { ["cpu"] = cpu, ["memory"] = Quantity.FromBytes(description.MemoryBytes) },
            Allocatable = new Dictionary<string, Quantity>(StringComparer.Ordinal) { ["cpu"] = cpu, ["memory"] = Quantity.FromBytes(offered) },
            Addresses =
            [
                new NodeAddress { Type = NodeAddressTypes.InternalIP, Address = options.UnderlayAddress.ToString() },
                new NodeAddress { Type = NodeAddressTypes.Hostname, Address = options.Node.Value },
            ],
            NodeInfo = description.System,
        };
        status = With(status, NodeConditionTypes.Ready, true, "AgentReady", "The agent runs.", now);
        status = With(
            status, NodeConditionTypes.MemoryPressure, IsPressed(status, NodeConditionTypes.MemoryPressure, description.MemoryAvailableBytes, NodeShortage.MemoryBytesMin),
            "MemoryAvailable", $"{Mebibytes(description.MemoryAvailableBytes)} MiB are available.", now);
        status = With(
            status, NodeConditionTypes.DiskPressure, IsPressed(status, NodeConditionTypes.DiskPressure, description.DiskAvailableBytes, NodeShortage.DiskBytesMin),
            "DiskAvailable", $"{Mebibytes(description.DiskAvailableBytes)} MiB are free in the data folder.", now);
        return node with { Status = status };
    }

    private static bool IsPressed(NodeStatus status, string type, long availableBytes, long thresholdBytes) =>
        NodeShortage.IsPressed(availableBytes, thresholdBytes, status.Conditions.FirstOrDefault(condition => condition.Type == type)?.Status == "True");

    /// <summary>Under KVM a guest can be given what the CPU has; under TCG what QEMU emulates, which is the same everywhere.</summary>
    private static IReadOnlyList<string> CpuFeatures(MachineHostFacts machines) =>
        machines.Accelerator == Accelerator.Kvm ? HostFacts.ReadCpu().Features : [$"tcg-{machines.QemuVersion.Major}"];

    /// <summary>Messages carry rounded numbers, so that a condition is not written anew for every byte.</summary>
    private static string Mebibytes(long bytes) => (bytes >> 27 << 7).ToString(CultureInfo.InvariantCulture);

    private static NodeStatus With(NodeStatus status, string type, bool value, string reason, string message, DateTimeOffset now)
    {
        var word = value ? "True" : "False";
        var known = status.Conditions.FirstOrDefault(condition => condition.Type == type);
        if (known is not null && known.Status == word && known.Reason == reason && (known.Message == message || type != NodeConditionTypes.Ready))
        {
            return status;
        }

        var condition = new NodeCondition
        {
            Type = type,
            Status = word,
            Reason = reason,
            Message = message,
            LastHeartbeatTime = now,
            LastTransitionTime = known is not null && known.Status == word ? known.LastTransitionTime : now,
        };
        return status with { Conditions = [.. status.Conditions.Where(other => other.Type != type), condition] };
    }
}
