using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of <c>core/v1</c>. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c>.</summary>
internal static class CoreSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";

    private static readonly ObjectSchema NamespaceCondition = new(
        Prefix + "NamespaceCondition",
        "One observed fact about a namespace.",
        Field(1, "type", Text, "What is observed.").Required(),
        Field(2, "status", OneOf("True", "False", "Unknown"), "Whether it is so.").Required(),
        Field(5, "reason", Text, "Why, as one word in CamelCase."),
        Field(6, "message", Text, "Why, in words."),
        Field("lastProbeTime", Time, "When it was last looked at."),
        Field(4, "lastTransitionTime", Time, "When the status last changed."));

    private static readonly ObjectSchema NamespaceSpec = new(
        Prefix + "NamespaceSpec",
        "What a namespace is to be.",
        Field(1, "finalizers", ListOf(Text), "Who must let go before the namespace may."));

    private static readonly ObjectSchema NamespaceStatus = new(
        Prefix + "NamespaceStatus",
        "What a namespace is.",
        Field(1, "phase", OneOf("Active", "Terminating"), "Whether it lives or is being emptied."),
        Field(2, "conditions", ListByKey(NamespaceCondition, "type"), "Observed facts.").Merged("type"));

    public static ObjectSchema Namespace { get; } = Kind(
        Prefix + "Namespace",
        "A scope for names, and what is deleted together.",
        Field(2, "spec", NamespaceSpec, "What it is to be."),
        Field(3, "status", NamespaceStatus, "What it is."));

    public static ObjectSchema ConfigMap { get; } = Kind(
        Prefix + "ConfigMap",
        "Settings as text.",
        Field(2, "data", TextMap, "Values by key. Keys are letters, digits, '-', '_' and '.'."),
        Field(3, "binaryData", MapOf(Bytes), "Values that are no text, in base64. No key may be in data too."),
        Field(4, "immutable", Flag, "True: the data can never be changed again."));

    public static ObjectSchema Secret { get; } = Kind(
        Prefix + "Secret",
        "Settings that must not be seen by everybody.",
        Field(2, "data", MapOf(Bytes), "Values by key, in base64."),
        Field(4, "stringData", TextMap, "Values as text, moved into data when written; never read back."),
        Field(3, "type", Text, "What the data is for; Opaque when not said. Cannot be changed."),
        Field(5, "immutable", Flag, "True: the data can never be changed again."));

    public static ObjectSchema ObjectReference { get; } = new(
        Prefix + "ObjectReference",
        "Names an object, or a part of it.",
        Field(5, "apiVersion", Text, "Group and version."),
        Field(1, "kind", Text, "Kind."),
        Field(2, "namespace", Text, "Namespace."),
        Field(3, "name", Text, "Name."),
        Field(4, "uid", Text, "UID."),
        Field(6, "resourceVersion", Text, "Version."),
        Field(7, "fieldPath", Text, "The part, as a path."));
}
