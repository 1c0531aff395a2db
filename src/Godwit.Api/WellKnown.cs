namespace Godwit.Api;

/// <summary>API groups that are not Kubernetes' own.</summary>
public static class GroupName
{
    public const string KubeVirt = "kubevirt.io";
    public const string KubeVirtSubresources = "subresources.kubevirt.io";
    public const string Migrations = "migrations.kubevirt.io";
    public const string Godwit = "godwit.dev";
    public const string Rbac = "rbac.authorization.k8s.io";
}

public static class NamespaceNames
{
    public const string Default = "default";
    public const string KubeSystem = "kube-system";
    public const string KubePublic = "kube-public";

    /// <summary>Holds each node's heartbeat Lease.</summary>
    public const string KubeNodeLease = "kube-node-lease";
}

/// <summary>The cluster network's settings: a ConfigMap of kube-system.</summary>
public static class NetworkSettings
{
    public const string Name = "godwit-network";

    /// <summary>Its key of the range that services' virtual addresses come from.</summary>
    public const string ServiceRangeKey = "serviceCidr";

    /// <summary>The range when it says nothing.</summary>
    public const string DefaultServiceRange = "10.96.0.0/16";

    /// <summary>Ports of the nodes that services may have.</summary>
    public const int NodePortMin = 30_000;
    public const int NodePortMax = 32_767;
}

public static class LabelNames
{
    public const string Hostname = "kubernetes.io/hostname";
    public const string Architecture = "kubernetes.io/arch";
    public const string OperatingSystem = "kubernetes.io/os";

    /// <summary>On a VMI: the node that runs it. KubeVirt's.</summary>
    public const string NodeName = "kubevirt.io/nodeName";

    /// <summary>On a VMI: the VirtualMachine that it incarnates. KubeVirt's.</summary>
    public const string VirtualMachineName = "vm.kubevirt.io/name";

    /// <summary>On a migration: the VMI that it moves. KubeVirt's.</summary>
    public const string MigrationVmiName = "kubevirt.io/vmi-name";

    /// <summary>On a migration or a forecast: the GroupMigration that it belongs to.</summary>
    public const string Group = "godwit.dev/group";

    /// <summary>On a Lease of kube-system that a server renews: what serves there. Kubernetes'.</summary>
    public const string ServerIdentity = "apiserver.kubernetes.io/identity";

    /// <summary>On an EndpointSlice: the service that the places are behind. Kubernetes'.</summary>
    public const string ServiceName = "kubernetes.io/service-name";

    /// <summary>On a namespace: its own name, so that selectors can find it.</summary>
    public const string NamespaceName = "kubernetes.io/metadata.name";
}

public static class AnnotationNames
{
    /// <summary>On a migration: one of <see cref="Forecasts.V1Alpha1.MigrationModes"/>.</summary>
    public const string Mode = "godwit.dev/mode";

    /// <summary>On a migration: at most so many bytes a second (a quantity), in place of the policy's.</summary>
    public const string Bandwidth = "godwit.dev/bandwidth";

    /// <summary>On a migration: the longest stop of the guest that is aimed at, in milliseconds, in place of the policy's.</summary>
    public const string DowntimeLimitMs = "godwit.dev/downtime-limit-ms";

    /// <summary>On a migration: one of <see cref="KubeVirt.V1.MoveHoldPoints"/>, where the move waits until the annotation is taken away or its time is over.</summary>
    public const string HoldAt = "godwit.dev/hold-at";

    /// <summary>On a migration: its guest is one of a service, and this GroupMigration (NAME/UID) decides for all of them. Set by the group controller.</summary>
    public const string Service = "godwit.dev/service";

    /// <summary>On a VMI: the node that it ran on when that was emptied, and to which it can be brought back.</summary>
    public const string HomeNode = "godwit.dev/home-node";

    /// <summary>On a migration: the node from which the guest was evicted, for which it was made. KubeVirt's.</summary>
    public const string EvacuationMigration = "kubevirt.io/evacuationMigration";

    /// <summary>On a VMI: the guest is to lie in a file instead of running; one of <see cref="KubeVirt.V1.Suspensions"/>. Set and taken away by the verbs <c>suspend</c> and <c>unpause</c>.</summary>
    public const string Suspend = "godwit.dev/suspend";

    /// <summary>On a Node: where its overlay tunnel ends (an address).</summary>
    public const string UnderlayAddress = "godwit.dev/underlay-address";

    /// <summary>On a Node: its own address among guests and pods, given by the address controller.</summary>
    public const string StationAddress = "godwit.dev/station-address";

    /// <summary>On a Node: where other agents reach it (host:port; several, by a comma, of a host with several links).</summary>
    public const string PeerEndpoint = "godwit.dev/peer-endpoint";

    /// <summary>On a Node: where the server reaches its agent (host:port).</summary>
    public const string AgentEndpoint = "godwit.dev/agent-endpoint";

    /// <summary>On a server's Lease: where pods reach it (an IPv4 address and a port).</summary>
    public const string ServerEndpoint = "godwit.dev/server-endpoint";

    /// <summary>On a Node: <c>kvm</c> or <c>tcg</c>.</summary>
    public const string Accelerator = "godwit.dev/accelerator";

    /// <summary>On a Node: why that accelerator, in words.</summary>
    public const string AcceleratorReason = "godwit.dev/accelerator-reason";

    public const string QemuVersion = "godwit.dev/qemu-version";

    /// <summary>On a Node: the versioned machine types, comma-separated.</summary>
    public const string MachineTypes = "godwit.dev/machine-types";

    /// <summary>On a Node: the CPU features a guest can be given, comma-separated.</summary>
    public const string CpuFeatures = "godwit.dev/cpu-features";

    /// <summary>On a Node: identities of the shared storage it sees, comma-separated.</summary>
    public const string StorageIds = "godwit.dev/storage-ids";

    /// <summary>On a Node: the images it has, comma-separated.</summary>
    public const string Images = "godwit.dev/images";

    /// <summary>On a StorageClass: <c>true</c> for that of claims that name none. Kubernetes'.</summary>
    public const string DefaultClass = "storageclass.kubernetes.io/is-default-class";

    /// <summary>On a claim: the node that the scheduler chose for its first pod. Kubernetes'.</summary>
    public const string SelectedNode = "volume.kubernetes.io/selected-node";

    /// <summary>On a claim: its binding is complete, and what is bound stays so. Kubernetes'.</summary>
    public const string BindCompleted = "pv.kubernetes.io/bind-completed";

    /// <summary>On a claim or a volume: a controller chose the other, not a person. Kubernetes'.</summary>
    public const string BoundByController = "pv.kubernetes.io/bound-by-controller";

    /// <summary>On a volume: the provisioner that made it. Kubernetes'.</summary>
    public const string ProvisionedBy = "pv.kubernetes.io/provisioned-by";

    /// <summary>On a claim: the provisioner that is to make its volume. Kubernetes'.</summary>
    public const string StorageProvisioner = "volume.kubernetes.io/storage-provisioner";

    /// <summary>On a volume that Godwit made: the node that it lies on.</summary>
    public const string VolumeNode = "godwit.dev/node";

    /// <summary>On a Node: the folder in which volumes are made there.</summary>
    public const string VolumesFolder = "godwit.dev/volumes-folder";

    /// <summary>The configuration that a client-side apply last sent.</summary>
    public const string LastApplied = "kubectl.kubernetes.io/last-applied-configuration";

    /// <summary>On a bookmark: the initial events of a streaming list are all sent.</summary>
    public const string InitialEventsEnd = "k8s.io/initial-events-end";
}

public static class FinalizerNames
{
    /// <summary>On a VMI: the agent has a machine to take down.</summary>
    public const string Agent = "godwit.dev/agent";

    /// <summary>On a migration: the source's agent has a move to end.</summary>
    public const string Migration = "godwit.dev/migration";

    /// <summary>On a group of moves: those that are under way have to be ended.</summary>
    public const string Group = "godwit.dev/group";

    /// <summary>On a claim: it stays while a pod uses it. Kubernetes'.</summary>
    public const string ClaimProtection = "kubernetes.io/pvc-protection";

    /// <summary>On a volume: it stays while a claim has it. Kubernetes'.</summary>
    public const string VolumeProtection = "kubernetes.io/pv-protection";

    /// <summary>On a volume that Godwit made: the agent of its node has a folder to remove.</summary>
    public const string LocalVolume = "godwit.dev/local-volume";

    /// <summary>Set by the server for a foreground deletion.</summary>
    public const string ForegroundDeletion = "foregroundDeletion";

    /// <summary>Set by the server when dependents are to be kept.</summary>
    public const string Orphan = "orphan";
}

public static class TaintKeys
{
    public const string Unschedulable = "node.kubernetes.io/unschedulable";
    public const string NotReady = "node.kubernetes.io/not-ready";

    /// <summary>The node's heartbeat is silent.</summary>
    public const string Unreachable = "node.kubernetes.io/unreachable";

    /// <summary>The node's conditions say that it is short of this.</summary>
    public const string MemoryPressure = "node.kubernetes.io/memory-pressure";
    public const string DiskPressure = "node.kubernetes.io/disk-pressure";
}
