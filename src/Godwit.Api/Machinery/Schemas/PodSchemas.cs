using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of pods. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c>.</summary>
internal static class PodSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";

    public static ObjectSchema Toleration { get; } = new(
        Prefix + "Toleration",
        "Lets a guest onto nodes with a matching taint.",
        Field(1, "key", Text, "The taint's name; empty with operator Exists for every one."),
        Field(2, "operator", OneOf("Exists", "Equal"), "Equal when not said."),
        Field(3, "value", Text, "The taint's value, for Equal."),
        Field(4, "effect", OneOf("NoSchedule", "PreferNoSchedule", "NoExecute"), "The taint's effect; empty for every one."),
        Field(5, "tolerationSeconds", Integer64, "For how long a NoExecute taint is borne; for ever when not said.").ZeroIsAValue());

    public static ObjectSchema Sysctl { get; } = new(
        Prefix + "Sysctl",
        "A kernel setting of the pod's namespaces.",
        Field(1, "name", Text, "The setting.").Required(),
        Field(2, "value", Text, "Its value.").Required());

    public static ObjectSchema PodSecurityContext { get; } = new(
        Prefix + "PodSecurityContext",
        "What all containers of a pod may do.",
        Field(2, "runAsUser", Integer64, "The user id.").ZeroIsAValue(),
        Field(3, "runAsNonRoot", Flag, "True: no container is started as user 0."),
        Field(4, "supplementalGroups", ListOf(Integer64), "Further group ids."),
        Field(5, "fsGroup", Integer64, "The group that owns the volumes' files.").ZeroIsAValue(),
        Field(6, "runAsGroup", Integer64, "The group id.").ZeroIsAValue(),
        Field(7, "sysctls", ListOf(Sysctl), "Kernel settings."),
        Field(9, "fsGroupChangePolicy", OneOf("Always", "OnRootMismatch"), "When the volumes' owner is changed."),
        Field(10, "seccompProfile", ContainerSchemas.SeccompProfile, "Which system calls are let through."));

    public static ObjectSchema HostAlias { get; } = new(
        Prefix + "HostAlias",
        "A line of /etc/hosts.",
        Field(1, "ip", Text, "The address.").Required(),
        Field(2, "hostnames", ListOf(Text), "The names."));

    public static ObjectSchema PodDNSConfigOption { get; } = new(
        Prefix + "PodDNSConfigOption",
        "A resolver option.",
        Field(1, "name", Text, "The option."),
        Field(2, "value", Text, "Its value."));

    public static ObjectSchema PodDNSConfig { get; } = new(
        Prefix + "PodDNSConfig",
        "How names are resolved, beside what dnsPolicy says.",
        Field(1, "nameservers", ListOf(Text), "Addresses of name servers."),
        Field(2, "searches", ListOf(Text), "Search domains."),
        Field(3, "options", ListOf(PodDNSConfigOption), "Resolver options."));

    public static ObjectSchema PodReadinessGate { get; } = new(
        Prefix + "PodReadinessGate",
        "A condition that must hold for the pod to be ready.",
        Field(1, "conditionType", Text, "The condition's type.").Required());

    public static ObjectSchema PodSpec { get; } = new(
        Prefix + "PodSpec",
        "What a pod is to be.",
        Field(1, "volumes", ListByKey(VolumeSchemas.Volume, "name"), "What containers can mount.").Merged("name").RetainsKeys(),
        Field(2, "containers", ListByKey(ContainerSchemas.Container, "name"), "The containers.").Required().Merged("name"),
        Field(3, "restartPolicy", OneOf("Always", "OnFailure", "Never"), "When containers are started anew; Always when not said."),
        Field(4, "terminationGracePeriodSeconds", Integer64, "Seconds that the containers may take to end; 30 when not said.").ZeroIsAValue(),
        Field(5, "activeDeadlineSeconds", Integer64, "Seconds after which the pod is failed."),
        Field(6, "dnsPolicy", OneOf("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"), "How names are resolved; ClusterFirst when not said."),
        Field(7, "nodeSelector", TextMap, "Labels that a node must have."),
        Field(8, "serviceAccountName", Text, "As whom the pod speaks to the API."),
        Field(9, "serviceAccount", Text, "The older name of serviceAccountName."),
        Field(10, "nodeName", Text, "The node it runs on. Set once."),
        Field(11, "hostNetwork", Flag, "True: it uses the node's network."),
        Field(12, "hostPID", Flag, "True: it sees the node's processes."),
        Field(13, "hostIPC", Flag, "True: it shares the node's IPC."),
        Field(14, "securityContext", PodSecurityContext, "What all its containers may do."),
        Field(15, "imagePullSecrets", ListByKey(VolumeSchemas.LocalObjectReference, "name"), "Secrets to pull images with.").Merged("name"),
        Field(16, "hostname", Text, "Its host name; its own name when not said."),
        Field(17, "subdomain", Text, "With it the pod has a name below the Service of this name."),
        Field(18, "affinity", SchedulingSchemas.Affinity, "What draws it to nodes and pods."),
        Field(19, "schedulerName", Text, "Who places it; default-scheduler when not said."),
        Field(20, "initContainers", ListByKey(ContainerSchemas.Container, "name"), "Run one after another before the containers; sidecars go on.").Merged("name"),
        Field(21, "automountServiceAccountToken", Flag, "False: no token is mounted."),
        Field(22, "tolerations", ListOf(Toleration), "Taints that are borne."),
        Field(23, "hostAliases", ListByKey(HostAlias, "ip"), "Lines for /etc/hosts.").Merged("ip"),
        Field(24, "priorityClassName", Text, "Where its priority comes from."),
        Field(25, "priority", Integer32, "Higher goes first.").ZeroIsAValue(),
        Field(26, "dnsConfig", PodDNSConfig, "How names are resolved."),
        Field(27, "shareProcessNamespace", Flag, "True: its containers see each other's processes."),
        Field(28, "readinessGates", ListOf(PodReadinessGate), "Conditions without which it is not ready."),
        Field(30, "enableServiceLinks", Flag, "Whether services are told in the environment; true when not said."),
        Field(31, "preemptionPolicy", OneOf("PreemptLowerPriority", "Never"), "Whether it may push others off a node."),
        Field(33, "topologySpreadConstraints", ListByKey(SchedulingSchemas.TopologySpreadConstraint, "topologyKey", "whenUnsatisfiable"), "How evenly its like are spread.").Merged("topologyKey"),
        Field(34, "ephemeralContainers", ListByKey(ContainerSchemas.EphemeralContainer, "name"), "Containers added to look into it; only by the subresource of that name.").Merged("name"));

    public static ObjectSchema PodTemplateSpec { get; } = new(
        Prefix + "PodTemplateSpec",
        "What the pods of an owner are made from.",
        Field(1, "metadata", MetaSchemas.ObjectMeta, "Labels and annotations of the pods."),
        Field(2, "spec", PodSpec, "What the pods are to be."));

    public static ObjectSchema ContainerStateWaiting { get; } = new(
        Prefix + "ContainerStateWaiting",
        "A container that does not run yet.",
        Field(1, "reason", Text, "Why, as one word."),
        Field(2, "message", Text, "Why, in words."));

    public static ObjectSchema ContainerStateRunning { get; } = new(
        Prefix + "ContainerStateRunning",
        "A container that runs.",
        Field(1, "startedAt", Time, "Since when."));

    public static ObjectSchema ContainerStateTerminated { get; } = new(
        Prefix + "ContainerStateTerminated",
        "A container that has ended.",
        Field(1, "exitCode", Integer32, "Its exit code.").Required().ZeroIsAValue(),
        Field(2, "signal", Integer32, "The signal that ended it."),
        Field(3, "reason", Text, "Why, as one word."),
        Field(4, "message", Text, "Its last words."),
        Field(5, "startedAt", Time, "When it started."),
        Field(6, "finishedAt", Time, "When it ended."),
        Field(7, "containerID", Text, "Which one it was."));

    public static ObjectSchema ContainerState { get; } = new(
        Prefix + "ContainerState",
        "Where a container stands; one of the three.",
        Field(1, "waiting", ContainerStateWaiting, "It does not run yet."),
        Field(2, "running", ContainerStateRunning, "It runs."),
        Field(3, "terminated", ContainerStateTerminated, "It has ended."));

    public static ObjectSchema ContainerStatus { get; } = new(
        Prefix + "ContainerStatus",
        "What a container is.",
        Field(1, "name", Text, "The container.").Required(),
        Field(2, "state", ContainerState, "Where it stands."),
        Field(3, "lastState", ContainerState, "Where the one before ended."),
        Field(4, "ready", Flag, "Whether it is ready.").Required(),
        Field(5, "restartCount", Integer32, "How often it was started anew.").Required().ZeroIsAValue(),
        Field(6, "image", Text, "The image."),
        Field(7, "imageID", Text, "The image's digest; empty before it is known."),
        Field(8, "containerID", Text, "Which one it is, as RUNTIME://ID."),
        Field(9, "started", Flag, "Whether its startup probe has succeeded."));

    public static ObjectSchema PodCondition { get; } = new(
        Prefix + "PodCondition",
        "One observed fact about a pod.",
        Field(1, "type", Text, "What is observed.").Required(),
        Field(2, "status", OneOf("True", "False", "Unknown"), "Whether it is so.").Required(),
        Field(3, "lastProbeTime", Time, "When it was last looked at."),
        Field(4, "lastTransitionTime", Time, "When the status last changed."),
        Field(5, "reason", Text, "Why, as one word in CamelCase."),
        Field(6, "message", Text, "Why, in words."),
        Field(7, "observedGeneration", Integer64, "For which generation it was observed."));

    public static ObjectSchema PodIP { get; } = new(
        Prefix + "PodIP",
        "One address of a pod.",
        Field(1, "ip", Text, "The address.").Required());

    public static ObjectSchema HostIP { get; } = new(
        Prefix + "HostIP",
        "One address of a node.",
        Field(1, "ip", Text, "The address.").Required());

    public static ObjectSchema PodStatus { get; } = new(
        Prefix + "PodStatus",
        "What a pod is.",
        Field(1, "phase", OneOf("Pending", "Running", "Succeeded", "Failed", "Unknown"), "Where it stands."),
        Field(2, "conditions", ListByKey(PodCondition, "type"), "Observed facts.").Merged("type"),
        Field(3, "message", Text, "Why it stands there, in words."),
        Field(4, "reason", Text, "Why, as one word."),
        Field(5, "hostIP", Text, "Its node's address."),
        Field(6, "podIP", Text, "Its address."),
        Field(7, "startTime", Time, "When its node took it on."),
        Field(8, "containerStatuses", ListOf(ContainerStatus), "What its containers are."),
        Field(9, "qosClass", OneOf("Guaranteed", "Burstable", "BestEffort"), "In which order pods give way when a node runs short."),
        Field(10, "initContainerStatuses", ListOf(ContainerStatus), "What its init containers are."),
        Field(11, "nominatedNodeName", Text, "The node on which room is being made for it."),
        Field(12, "podIPs", ListByKey(PodIP, "ip"), "Its addresses.").Merged("ip"),
        Field(13, "ephemeralContainerStatuses", ListOf(ContainerStatus), "What its added containers are."),
        Field(16, "hostIPs", ListOf(HostIP), "Its node's addresses.").Merged("ip"),
        Field(17, "observedGeneration", Integer64, "The generation that its node has taken in."));

    public static ObjectSchema Pod { get; } = Kind(
        Prefix + "Pod",
        "Containers that run together on one node, with one address.",
        Field(2, "spec", PodSpec, "What it is to be.").Required(),
        Field(3, "status", PodStatus, "What it is."));
}
