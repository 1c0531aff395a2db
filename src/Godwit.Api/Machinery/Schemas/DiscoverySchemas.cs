using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of <c>discovery.k8s.io/v1</c>. Numbers: Kubernetes' <c>api/discovery/v1/generated.proto</c>.</summary>
internal static class DiscoverySchemas
{
    private const string Prefix = "io.k8s.api.discovery.v1.";

    public static ObjectSchema EndpointConditions { get; } = new(
        Prefix + "EndpointConditions",
        "What holds of an endpoint.",
        Field(1, "ready", Flag, "Whether it is to be used."),
        Field(2, "serving", Flag, "Whether it answers, even while it ends."),
        Field(3, "terminating", Flag, "Whether it is ending."));

    public static ObjectSchema Endpoint { get; } = new(
        Prefix + "Endpoint",
        "One place behind a service.",
        Field(1, "addresses", SetOf(Text), "Its addresses; the first is used.").Required(),
        Field(2, "conditions", EndpointConditions, "What holds of it."),
        Field(3, "hostname", Text, "Its host name."),
        Field(4, "targetRef", CoreSchemas.ObjectReference, "What is there."),
        Field(6, "nodeName", Text, "Its node."),
        Field(7, "zone", Text, "Its zone."));

    public static ObjectSchema EndpointPort { get; } = new(
        Prefix + "EndpointPort",
        "One port of the places.",
        Field(1, "name", Text, "The service port's name."),
        Field(2, "protocol", OneOf("TCP", "UDP", "SCTP"), "TCP when not said."),
        Field(3, "port", Integer32, "The number."),
        Field(4, "appProtocol", Text, "What is spoken."));

    public static ObjectSchema EndpointSlice { get; } = Kind(
        Prefix + "EndpointSlice",
        "Some of the places behind a service.",
        Field(2, "endpoints", ListOf(Endpoint), "The places.").Required(),
        Field(3, "ports", ListOf(EndpointPort), "The ports."),
        Field(4, "addressType", OneOf("IPv4", "IPv6", "FQDN"), "The family of the addresses. Cannot be changed.").Required());
}
