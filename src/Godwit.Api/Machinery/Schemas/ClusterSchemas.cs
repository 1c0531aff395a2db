using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of leases, certificates, scale and the reviews. Numbers: the <c>generated.proto</c> of each group.</summary>
internal static class ClusterSchemas
{
    private const string Authentication = "io.k8s.api.authentication.v1.";
    private const string Authorization = "io.k8s.api.authorization.v1.";
    private const string Autoscaling = "io.k8s.api.autoscaling.v1.";
    private const string Certificates = "io.k8s.api.certificates.v1.";
    private const string Coordination = "io.k8s.api.coordination.v1.";

    // A list of texts as a map's value is a message of its own in protobuf.
    private static readonly ArraySchema ExtraValue = ListOf(Text);

    public static ObjectSchema Binding { get; } = Kind(
        "io.k8s.api.core.v1.Binding",
        "Puts a pod onto a node.",
        Field(2, "target", CoreSchemas.ObjectReference, "The node.").Required());

    public static ObjectSchema Eviction { get; } = Kind(
        "io.k8s.api.policy.v1.Eviction",
        "Asks a pod to leave its node.",
        Field(2, "deleteOptions", MetaSchemas.DeleteOptions, "How it is to be deleted."));

    public static ObjectSchema Lease { get; } = Kind(
        Coordination + "Lease",
        "A claim that its holder renews.",
        Field(2, "spec", new ObjectSchema(
            Coordination + "LeaseSpec",
            "Who claims, since when and for how long.",
            Field(1, "holderIdentity", Text, "Who holds it."),
            Field(2, "leaseDurationSeconds", Integer32, "How long the claim lasts after it was renewed."),
            Field(3, "acquireTime", MicroTime, "When the holder took it."),
            Field(4, "renewTime", MicroTime, "When the holder last renewed it."),
            Field(5, "leaseTransitions", Integer32, "How often the holder changed.")), "The claim."));

    private static readonly ObjectSchema CertificateCondition = new(
        Certificates + "CertificateSigningRequestCondition",
        "A decision on a request.",
        Field(1, "type", Text, "Approved, Denied or Failed.").Required(),
        Field(6, "status", OneOf("True", "False", "Unknown"), "True.").Required(),
        Field(2, "reason", Text, "Why, as one word in CamelCase."),
        Field(3, "message", Text, "Why, in words."),
        Field(4, "lastUpdateTime", Time, "When it was last written."),
        Field(5, "lastTransitionTime", Time, "When the status last changed."));

    public static ObjectSchema CertificateSigningRequest { get; } = Kind(
        Certificates + "CertificateSigningRequest",
        "A request for a certificate: how a node joins.",
        Field(2, "spec", new ObjectSchema(
            Certificates + "CertificateSigningRequestSpec",
            "What is asked, and by whom.",
            Field(1, "request", Bytes, "A PKCS #10 request in PEM, in base64.").Required(),
            Field(7, "signerName", Text, "Who is to sign.").Required(),
            Field(8, "expirationSeconds", Integer32, "How long the certificate should be good for; the signer may give less."),
            Field(5, "usages", ListOf(Text), "What the certificate is for.").Required(),
            Field(2, "username", Text, "Who asks. Set by the server."),
            Field(3, "uid", Text, "The asker's UID. Set by the server."),
            Field(4, "groups", ListOf(Text), "The asker's groups. Set by the server."),
            Field(6, "extra", MapOf(ExtraValue), "More about the asker. Set by the server.")), "The request.").Required(),
        Field(3, "status", new ObjectSchema(
            Certificates + "CertificateSigningRequestStatus",
            "What became of the request.",
            Field(1, "conditions", ListByKey(CertificateCondition, "type"), "Decisions."),
            Field(2, "certificate", Bytes, "The certificate in PEM, in base64.")), "What became of it."));

    private static readonly ObjectSchema UserInfo = new(
        Authentication + "UserInfo",
        "Who makes a request.",
        Field(1, "username", Text, "The name."),
        Field(2, "uid", Text, "The UID."),
        Field(3, "groups", ListOf(Text), "The groups."),
        Field(4, "extra", MapOf(ExtraValue), "What else the authenticator knows."));

    public static ObjectSchema SelfSubjectReview { get; } = Kind(
        Authentication + "SelfSubjectReview",
        "The question who the asker is.",
        Field(2, "status", new ObjectSchema(
            Authentication + "SelfSubjectReviewStatus",
            "The answer.",
            Field(1, "userInfo", UserInfo, "The asker.")), "The answer, filled in by the server."));

    public static ObjectSchema TokenReview { get; } = Kind(
        Authentication + "TokenReview",
        "The question whose a token is.",
        Field(2, "spec", new ObjectSchema(
            Authentication + "TokenReviewSpec",
            "The token.",
            Field(1, "token", Text, "The token itself."),
            Field(2, "audiences", ListOf(Text), "Whom it must be meant for; empty for this server.")), "The question.").Required(),
        Field(3, "status", new ObjectSchema(
            Authentication + "TokenReviewStatus",
            "The answer.",
            Field(1, "authenticated", Flag, "Whether it is somebody's."),
            Field(2, "user", UserInfo, "Whose it is."),
            Field(3, "error", Text, "Why it could not be told."),
            Field(4, "audiences", ListOf(Text), "Of the audiences asked for, those that it is meant for.")), "The answer, filled in by the server."));

    private static readonly ObjectSchema ResourceAttributes = new(
        Authorization + "ResourceAttributes",
        "A request to the API; * means all.",
        Field(1, "namespace", Text, "The namespace; empty for cluster-wide."),
        Field(2, "verb", Text, "get, list, watch, create, update, patch, delete and so on."),
        Field(3, "group", Text, "The API group."),
        Field(4, "version", Text, "The version."),
        Field(5, "resource", Text, "The plural."),
        Field(6, "subresource", Text, "The subresource."),
        Field(7, "name", Text, "The object."));

    private static readonly ObjectSchema NonResourceAttributes = new(
        Authorization + "NonResourceAttributes",
        "A request to a path that is no resource.",
        Field(1, "path", Text, "The path."),
        Field(2, "verb", Text, "The HTTP method in lower case."));

    private static readonly ObjectSchema AccessReviewStatus = new(
        Authorization + "SubjectAccessReviewStatus",
        "The answer.",
        Field(1, "allowed", Flag, "Whether it is allowed."),
        Field(4, "denied", Flag, "Whether it is refused for good."),
        Field(2, "reason", Text, "Why."),
        Field(3, "evaluationError", Text, "What went wrong while finding out."));

    public static ObjectSchema SelfSubjectAccessReview { get; } = Kind(
        Authorization + "SelfSubjectAccessReview",
        "The question whether the asker may do something.",
        Field(2, "spec", new ObjectSchema(
            Authorization + "SelfSubjectAccessReviewSpec",
            "What is asked about; exactly one of the two.",
            Field(1, "resourceAttributes", ResourceAttributes, "A request to a resource."),
            Field(2, "nonResourceAttributes", NonResourceAttributes, "A request to another path.")), "The question.").Required(),
        Field(3, "status", AccessReviewStatus, "The answer, filled in by the server."));

    private static readonly ObjectSchema AccessReviewSpec = new(
        Authorization + "SubjectAccessReviewSpec",
        "Who, and what is asked about; exactly one of the two attributes.",
        Field(1, "resourceAttributes", ResourceAttributes, "A request to a resource."),
        Field(2, "nonResourceAttributes", NonResourceAttributes, "A request to another path."),
        Field(3, "user", Text, "The name of who is asked about."),
        Field(4, "groups", ListOf(Text), "All their groups."),
        Field(5, "extra", MapOf(ExtraValue), "What else the authenticator knows."),
        Field(6, "uid", Text, "The UID."));

    public static ObjectSchema SubjectAccessReview { get; } = Kind(
        Authorization + "SubjectAccessReview",
        "The question whether somebody may do something.",
        Field(2, "spec", AccessReviewSpec, "The question.").Required(),
        Field(3, "status", AccessReviewStatus, "The answer, filled in by the server."));

    public static ObjectSchema LocalSubjectAccessReview { get; } = Kind(
        Authorization + "LocalSubjectAccessReview",
        "The question whether somebody may do something in this namespace.",
        Field(2, "spec", AccessReviewSpec, "The question.").Required(),
        Field(3, "status", AccessReviewStatus, "The answer, filled in by the server."));

    private static readonly ObjectSchema ResourceRule = new(
        Authorization + "ResourceRule",
        "What may be done to which resources; * means all.",
        Field(1, "verbs", ListOf(Text), "The verbs."),
        Field(2, "apiGroups", ListOf(Text), "The groups."),
        Field(3, "resources", ListOf(Text), "The resources, with subresources after a slash."),
        Field(4, "resourceNames", ListOf(Text), "The objects; empty for all."));

    private static readonly ObjectSchema NonResourceRule = new(
        Authorization + "NonResourceRule",
        "What may be done to which paths.",
        Field(1, "verbs", ListOf(Text), "The verbs."),
        Field(2, "nonResourceURLs", ListOf(Text), "The paths."));

    public static ObjectSchema SelfSubjectRulesReview { get; } = Kind(
        Authorization + "SelfSubjectRulesReview",
        "The question what the asker may do in a namespace.",
        Field(2, "spec", new ObjectSchema(
            Authorization + "SelfSubjectRulesReviewSpec",
            "What is asked about.",
            Field(1, "namespace", Text, "The namespace.")), "The question."),
        Field(3, "status", new ObjectSchema(
            Authorization + "SubjectRulesReviewStatus",
            "The answer.",
            Field(1, "resourceRules", ListOf(ResourceRule), "What may be done to resources."),
            Field(2, "nonResourceRules", ListOf(NonResourceRule), "What may be done to other paths."),
            Field(3, "incomplete", Flag, "True when these are not all the rules."),
            Field(4, "evaluationError", Text, "What went wrong while finding out.")), "The answer, filled in by the server."));

    public static ObjectSchema Scale { get; } = Kind(
        Autoscaling + "Scale",
        "How many there are to be of something.",
        Field(2, "spec", new ObjectSchema(
            Autoscaling + "ScaleSpec",
            "What is wanted.",
            Field(1, "replicas", Integer32, "How many are wanted.").ZeroIsAValue()), "What is wanted."),
        Field(3, "status", new ObjectSchema(
            Autoscaling + "ScaleStatus",
            "What there is.",
            Field(1, "replicas", Integer32, "How many there are.").ZeroIsAValue(),
            Field(2, "selector", Text, "A label selector that finds them.")), "What there is."));
}
