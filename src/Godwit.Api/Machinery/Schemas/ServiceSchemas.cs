using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of services and identities. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c>.</summary>
internal static class ServiceSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";

    public static ObjectSchema ServiceAccount { get; } = Kind(
        Prefix + "ServiceAccount",
        "An identity for programs in pods.",
        Field(2, "secrets", ListByKey(CoreSchemas.ObjectReference, "name"), "Secrets that its pods may use.").Merged("name"),
        Field(3, "imagePullSecrets", ListOf(VolumeSchemas.LocalObjectReference), "Secrets to pull its pods' images with."),
        Field(4, "automountServiceAccountToken", Flag, "False: its pods get no token unless they ask for one."));

    public static ObjectSchema ServicePort { get; } = new(
        Prefix + "ServicePort",
        "A port of a service.",
        Field(1, "name", Text, "Its name; needed when there are several."),
        Field(2, "protocol", OneOf("TCP", "UDP", "SCTP"), "TCP when not said.").DefaultsTo("\"TCP\""),
        Field(3, "port", Integer32, "The service's port, 1 to 65535.").Required(),
        Field(4, "targetPort", IntOrText, "The pods' port: a number, or a name in their containers; the service's port when not said."),
        Field(5, "nodePort", Integer32, "The port of every node that leads here."),
        Field(6, "appProtocol", Text, "What is spoken, for people."));

    public static ObjectSchema ClientIPConfig { get; } = new(
        Prefix + "ClientIPConfig",
        "Affinity by the client's address.",
        Field(1, "timeoutSeconds", Integer32, "How long a client stays with a pod; 10800 when not said."));

    public static ObjectSchema SessionAffinityConfig { get; } = new(
        Prefix + "SessionAffinityConfig",
        "How clients are held to pods.",
        Field(1, "clientIP", ClientIPConfig, "By their address."));

    public static ObjectSchema ServiceSpec { get; } = new(
        Prefix + "ServiceSpec",
        "What a service is to be.",
        Field(1, "ports", ListByKey(ServicePort, "port", "protocol"), "Its ports.").Merged("port"),
        Field(2, "selector", TextMap, "Labels of the pods and machines behind it."),
        Field(3, "clusterIP", Text, "Its address; None for a headless service. Given when not said."),
        Field(4, "type", OneOf("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"), "Where it can be reached; ClusterIP when not said."),
        Field(5, "externalIPs", ListOf(Text), "Further addresses at which nodes take it."),
        Field(7, "sessionAffinity", OneOf("ClientIP", "None"), "ClientIP: a client stays with a pod."),
        Field(8, "loadBalancerIP", Text, "The address wished for from the pool."),
        Field(9, "loadBalancerSourceRanges", ListOf(Text), "Clients that are let in."),
        Field(10, "externalName", Text, "The name that it stands for, with type ExternalName."),
        Field(11, "externalTrafficPolicy", OneOf("Cluster", "Local"), "Local: traffic from outside stays on the node that it reached."),
        Field(12, "healthCheckNodePort", Integer32, "Where a balancer asks nodes, with Local."),
        Field(13, "publishNotReadyAddresses", Flag, "True: pods count that are not ready."),
        Field(14, "sessionAffinityConfig", SessionAffinityConfig, "How clients are held to pods."),
        Field(17, "ipFamilyPolicy", OneOf("SingleStack", "PreferDualStack", "RequireDualStack"), "How many families of addresses it has; SingleStack."),
        Field(18, "clusterIPs", ListOf(Text), "Its addresses; the first is clusterIP."),
        Field(19, "ipFamilies", ListOf(Text), "The families: IPv4."),
        Field(20, "allocateLoadBalancerNodePorts", Flag, "False: no node ports for a balancer."),
        Field(21, "loadBalancerClass", Text, "Who balances."),
        Field(22, "internalTrafficPolicy", OneOf("Cluster", "Local"), "Local: traffic from pods stays on their node."));

    public static ObjectSchema LoadBalancerIngress { get; } = new(
        Prefix + "LoadBalancerIngress",
        "Where a balancer takes traffic.",
        Field(1, "ip", Text, "Its address."),
        Field(2, "hostname", Text, "Its name."),
        Field(3, "ipMode", OneOf("VIP", "Proxy"), "How traffic arrives."));

    public static ObjectSchema LoadBalancerStatus { get; } = new(
        Prefix + "LoadBalancerStatus",
        "What the balancer is.",
        Field(1, "ingress", ListOf(LoadBalancerIngress), "Where it takes traffic."));

    public static ObjectSchema ServiceStatus { get; } = new(
        Prefix + "ServiceStatus",
        "What a service is.",
        Field(1, "loadBalancer", LoadBalancerStatus, "What its balancer is."),
        Field(2, "conditions", ListByKey(MetaSchemas.Condition, "type"), "Observed facts.").Merged("type"));

    public static ObjectSchema Service { get; } = Kind(
        Prefix + "Service",
        "A name and address for whatever has the labels.",
        Field(2, "spec", ServiceSpec, "What it is to be."),
        Field(3, "status", ServiceStatus, "What it is."));

    public static ObjectSchema EndpointAddress { get; } = new(
        Prefix + "EndpointAddress",
        "One place behind a service.",
        Field(1, "ip", Text, "The address.").Required(),
        Field(2, "targetRef", CoreSchemas.ObjectReference, "What is there."),
        Field(3, "hostname", Text, "Its host name."),
        Field(4, "nodeName", Text, "Its node."));

    public static ObjectSchema EndpointPort { get; } = new(
        Prefix + "EndpointPort",
        "One port of the places.",
        Field(1, "name", Text, "The service port's name."),
        Field(2, "port", Integer32, "The number.").Required(),
        Field(3, "protocol", OneOf("TCP", "UDP", "SCTP"), "TCP when not said."),
        Field(4, "appProtocol", Text, "What is spoken."));

    public static ObjectSchema EndpointSubset { get; } = new(
        Prefix + "EndpointSubset",
        "Places with the same ports.",
        Field(1, "addresses", ListOf(EndpointAddress), "Those that are ready."),
        Field(2, "notReadyAddresses", ListOf(EndpointAddress), "Those that are not."),
        Field(3, "ports", ListOf(EndpointPort), "The ports."));

    public static ObjectSchema Endpoints { get; } = Kind(
        Prefix + "Endpoints",
        "The places behind the service of the same name.",
        Field(2, "subsets", ListOf(EndpointSubset), "The places."));
}
