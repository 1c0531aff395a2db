using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of containers. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c>.</summary>
internal static class ContainerSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";

    public static ObjectSchema ExecAction { get; } = new(
        Prefix + "ExecAction",
        "A command run in the container; it succeeds with exit code 0.",
        Field(1, "command", ListOf(Text), "The command and its arguments; no shell."));

    public static ObjectSchema HTTPHeader { get; } = new(
        Prefix + "HTTPHeader",
        "One header.",
        Field(1, "name", Text, "The name.").Required(),
        Field(2, "value", Text, "The value.").Required());

    public static ObjectSchema HTTPGetAction { get; } = new(
        Prefix + "HTTPGetAction",
        "An HTTP GET; it succeeds with a code of 200 to 399.",
        Field(1, "path", Text, "The path; / when not said."),
        Field(2, "port", IntOrText, "The port's number, or its name in the container.").Required(),
        Field(3, "host", Text, "The host; the pod's address when not said."),
        Field(4, "scheme", OneOf("HTTP", "HTTPS"), "HTTP when not said."),
        Field(5, "httpHeaders", ListOf(HTTPHeader), "Headers to send."));

    public static ObjectSchema TCPSocketAction { get; } = new(
        Prefix + "TCPSocketAction",
        "A TCP connection; it succeeds when it is accepted.",
        Field(1, "port", IntOrText, "The port's number, or its name in the container.").Required(),
        Field(2, "host", Text, "The host; the pod's address when not said."));

    public static ObjectSchema GRPCAction { get; } = new(
        Prefix + "GRPCAction",
        "A gRPC health check.",
        Field(1, "port", Integer32, "The port's number.").Required(),
        Field(2, "service", Text, "The service asked about; empty for the server as a whole.").ZeroIsAValue());

    public static ObjectSchema SleepAction { get; } = new(
        Prefix + "SleepAction",
        "A pause.",
        Field(1, "seconds", Integer64, "How long.").Required().ZeroIsAValue());

    public static ObjectSchema Probe { get; } = new(
        Prefix + "Probe",
        "How a container is asked how it is; exactly one way.",
        Field(1, "exec", ExecAction, "By a command.").Within(1),
        Field(2, "httpGet", HTTPGetAction, "By HTTP.").Within(1),
        Field(3, "tcpSocket", TCPSocketAction, "By TCP.").Within(1),
        Field(4, "grpc", GRPCAction, "By gRPC.").Within(1),
        Field(2, "initialDelaySeconds", Integer32, "Seconds after the start before the first probe."),
        Field(3, "timeoutSeconds", Integer32, "Seconds that one may take; 1 when not said."),
        Field(4, "periodSeconds", Integer32, "Seconds from one to the next; 10 when not said."),
        Field(5, "successThreshold", Integer32, "Successes in a row that count as one; 1 when not said."),
        Field(6, "failureThreshold", Integer32, "Failures in a row that count as one; 3 when not said."),
        Field(7, "terminationGracePeriodSeconds", Integer64, "In place of the pod's, when this probe stops the container."));

    public static ObjectSchema LifecycleHandler { get; } = new(
        Prefix + "LifecycleHandler",
        "Something done at a turn of a container's life; exactly one way.",
        Field(1, "exec", ExecAction, "A command."),
        Field(2, "httpGet", HTTPGetAction, "An HTTP GET."),
        Field(3, "tcpSocket", TCPSocketAction, "Accepted for the sake of old objects; never done."),
        Field(4, "sleep", SleepAction, "A pause."));

    public static ObjectSchema Lifecycle { get; } = new(
        Prefix + "Lifecycle",
        "What is done at the turns of a container's life.",
        Field(1, "postStart", LifecycleHandler, "Right after its start; the container is stopped when it fails."),
        Field(2, "preStop", LifecycleHandler, "Before it is stopped, within the grace period."));

    public static ObjectSchema ContainerPort { get; } = new(
        Prefix + "ContainerPort",
        "A port that a container listens on.",
        Field(1, "name", Text, "A name for it, unique in the pod."),
        Field(2, "hostPort", Integer32, "The node's port that leads to it."),
        Field(3, "containerPort", Integer32, "The number, 1 to 65535.").Required(),
        Field(4, "protocol", OneOf("TCP", "UDP", "SCTP"), "TCP when not said.").DefaultsTo("\"TCP\""),
        Field(5, "hostIP", Text, "The node's address that hostPort is on; all when not said."));

    public static ObjectSchema ConfigMapKeySelector { get; } = new(
        Prefix + "ConfigMapKeySelector",
        "One value of a ConfigMap.",
        Field(1, "name", Text, "The ConfigMap.").Within(1),
        Field(2, "key", Text, "The key.").Required(),
        Field(3, "optional", Flag, "True: it need not exist."));

    public static ObjectSchema SecretKeySelector { get; } = new(
        Prefix + "SecretKeySelector",
        "One value of a Secret.",
        Field(1, "name", Text, "The Secret.").Within(1),
        Field(2, "key", Text, "The key.").Required(),
        Field(3, "optional", Flag, "True: it need not exist."));

    public static ObjectSchema EnvVarSource { get; } = new(
        Prefix + "EnvVarSource",
        "Where a variable's value comes from; exactly one.",
        Field(1, "fieldRef", VolumeSchemas.ObjectFieldSelector, "A field of the pod."),
        Field(2, "resourceFieldRef", VolumeSchemas.ResourceFieldSelector, "A container's request or limit."),
        Field(3, "configMapKeyRef", ConfigMapKeySelector, "A value of a ConfigMap."),
        Field(4, "secretKeyRef", SecretKeySelector, "A value of a Secret."));

    public static ObjectSchema EnvVar { get; } = new(
        Prefix + "EnvVar",
        "An environment variable.",
        Field(1, "name", Text, "The name.").Required(),
        Field(2, "value", Text, "The value; $(NAME) stands for a variable defined before."),
        Field(3, "valueFrom", EnvVarSource, "Where the value comes from."));

    public static ObjectSchema ConfigMapEnvSource { get; } = new(
        Prefix + "ConfigMapEnvSource",
        "All values of a ConfigMap.",
        Field(1, "name", Text, "The ConfigMap.").Within(1),
        Field(2, "optional", Flag, "True: it need not exist."));

    public static ObjectSchema SecretEnvSource { get; } = new(
        Prefix + "SecretEnvSource",
        "All values of a Secret.",
        Field(1, "name", Text, "The Secret.").Within(1),
        Field(2, "optional", Flag, "True: it need not exist."));

    public static ObjectSchema EnvFromSource { get; } = new(
        Prefix + "EnvFromSource",
        "Variables from all values of an object; exactly one.",
        Field(1, "prefix", Text, "Put before each name."),
        Field(2, "configMapRef", ConfigMapEnvSource, "A ConfigMap."),
        Field(3, "secretRef", SecretEnvSource, "A Secret."));

    public static ObjectSchema ResourceRequirements { get; } = new(
        Prefix + "ResourceRequirements",
        "What a container asks for and how much it may use.",
        Field(1, "limits", QuantityMap, "At most so much."),
        Field(2, "requests", QuantityMap, "At least so much; the limit when not said."));

    public static ObjectSchema Capabilities { get; } = new(
        Prefix + "Capabilities",
        "Capabilities of a container's processes beside or without the usual ones.",
        Field(1, "add", ListOf(Text), "Given."),
        Field(2, "drop", ListOf(Text), "Taken away; ALL for every one."));

    public static ObjectSchema SeccompProfile { get; } = new(
        Prefix + "SeccompProfile",
        "Which system calls are let through.",
        Field(1, "type", OneOf("Unconfined", "RuntimeDefault", "Localhost"), "Which profile.").Required(),
        Field(2, "localhostProfile", Text, "A file of the node, for Localhost."));

    public static ObjectSchema SecurityContext { get; } = new(
        Prefix + "SecurityContext",
        "What a container may do.",
        Field(1, "capabilities", Capabilities, "Capabilities."),
        Field(2, "privileged", Flag, "True: as the node's root may."),
        Field(4, "runAsUser", Integer64, "The user id.").ZeroIsAValue(),
        Field(5, "runAsNonRoot", Flag, "True: it is not started as user 0."),
        Field(6, "readOnlyRootFilesystem", Flag, "True: only volumes can be written."),
        Field(7, "allowPrivilegeEscalation", Flag, "Whether a process may gain more than its parent has."),
        Field(8, "runAsGroup", Integer64, "The group id.").ZeroIsAValue(),
        Field(11, "seccompProfile", SeccompProfile, "Which system calls are let through."));

    public static ObjectSchema Container { get; } = new(
        Prefix + "Container",
        "One container of a pod.",
        Field(1, "name", Text, "Unique in the pod.").Required(),
        Field(2, "image", Text, "The image."),
        Field(3, "command", ListOf(Text), "In place of the image's entry point."),
        Field(4, "args", ListOf(Text), "In place of the image's arguments."),
        Field(5, "workingDir", Text, "In place of the image's working folder."),
        Field(6, "ports", ListByKey(ContainerPort, "containerPort", "protocol"), "Ports that it listens on.").Merged("containerPort"),
        Field(7, "env", ListByKey(EnvVar, "name"), "Environment variables.").Merged("name"),
        Field(8, "resources", ResourceRequirements, "What it asks for and may use."),
        Field(9, "volumeMounts", ListByKey(VolumeSchemas.VolumeMount, "mountPath"), "Where it sees the pod's volumes.").Merged("mountPath"),
        Field(10, "livenessProbe", Probe, "When this fails, the container is started anew."),
        Field(11, "readinessProbe", Probe, "When this fails, no service sends anything here."),
        Field(12, "lifecycle", Lifecycle, "What is done at the turns of its life."),
        Field(13, "terminationMessagePath", Text, "Its last words are read from this file; /dev/termination-log when not said."),
        Field(14, "imagePullPolicy", OneOf("Always", "IfNotPresent", "Never"), "When the image is pulled."),
        Field(15, "securityContext", SecurityContext, "What it may do."),
        Field(16, "stdin", Flag, "True: it has a standard input."),
        Field(17, "stdinOnce", Flag, "True: that ends with the first who attaches."),
        Field(18, "tty", Flag, "True: it has a terminal."),
        Field(19, "envFrom", ListOf(EnvFromSource), "Variables from whole objects."),
        Field(20, "terminationMessagePolicy", OneOf("File", "FallbackToLogsOnError"), "Where its last words are looked for."),
        Field(22, "startupProbe", Probe, "Until this succeeds, no other probe runs."),
        Field(24, "restartPolicy", OneOf("Always"), "Only of init containers: Always makes it a sidecar."));

    public static ObjectSchema EphemeralContainer { get; } = new(
        Prefix + "EphemeralContainer",
        "A container added to a running pod to look into it.",
        Field(1, "name", Text, "Unique in the pod.").Required().Within(1),
        Field(2, "image", Text, "The image.").Within(1),
        Field(3, "command", ListOf(Text), "In place of the image's entry point.").Within(1),
        Field(4, "args", ListOf(Text), "In place of the image's arguments.").Within(1),
        Field(5, "workingDir", Text, "In place of the image's working folder.").Within(1),
        Field(7, "env", ListByKey(EnvVar, "name"), "Environment variables.").Merged("name").Within(1),
        Field(8, "resources", ResourceRequirements, "Empty: it takes of what the pod has.").Within(1),
        Field(9, "volumeMounts", ListByKey(VolumeSchemas.VolumeMount, "mountPath"), "Where it sees the pod's volumes.").Merged("mountPath").Within(1),
        Field(13, "terminationMessagePath", Text, "Its last words are read from this file; /dev/termination-log when not said.").Within(1),
        Field(14, "imagePullPolicy", OneOf("Always", "IfNotPresent", "Never"), "When the image is pulled.").Within(1),
        Field(15, "securityContext", SecurityContext, "What it may do.").Within(1),
        Field(16, "stdin", Flag, "True: it has a standard input.").Within(1),
        Field(17, "stdinOnce", Flag, "True: that ends with the first who attaches.").Within(1),
        Field(18, "tty", Flag, "True: it has a terminal.").Within(1),
        Field(19, "envFrom", ListOf(EnvFromSource), "Variables from whole objects.").Within(1),
        Field(20, "terminationMessagePolicy", OneOf("File", "FallbackToLogsOnError"), "Where its last words are looked for.").Within(1),
        Field(2, "targetContainerName", Text, "Its processes are seen by this one."));
}
