using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>The shape of a request for a service account's token. Numbers: Kubernetes' <c>api/authentication/v1/generated.proto</c>.</summary>
internal static class TokenSchemas
{
    private const string Prefix = "io.k8s.api.authentication.v1.";

    private static readonly ObjectSchema BoundObjectReference = new(
        Prefix + "BoundObjectReference",
        "An object of the account's namespace that a token ends with.",
        Field(1, "kind", Text, "Pod or Secret."),
        Field(2, "apiVersion", Text, "v1."),
        Field(3, "name", Text, "The object."),
        Field(4, "uid", Text, "Its UID; another of the same name is refused."));

    public static ObjectSchema TokenRequest { get; } = Kind(
        Prefix + "TokenRequest",
        "Asks for a token of a service account.",
        Field(2, "spec", new ObjectSchema(
            Prefix + "TokenRequestSpec",
            "What the token is to be like.",
            Field(1, "audiences", ListOf(Text), "Whom it is meant for; this server when empty."),
            Field(3, "boundObjectRef", BoundObjectReference, "What it ends with, beside the account."),
            Field(4, "expirationSeconds", Integer64, "How long it is to be good for; the server may give less.")), "What is asked."),
        Field(3, "status", new ObjectSchema(
            Prefix + "TokenRequestStatus",
            "The token.",
            Field(1, "token", Text, "The token itself."),
            Field(2, "expirationTimestamp", Time, "When it ends.")), "The answer, filled in by the server."));
}
