using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of <c>meta/v1</c>. Numbers: Kubernetes' <c>apimachinery/pkg/apis/meta/v1/generated.proto</c>.</summary>
internal static class MetaSchemas
{
    private const string Prefix = "io.k8s.apimachinery.pkg.apis.meta.v1.";

    private static readonly ObjectSchema OwnerReference = new(
        Prefix + "OwnerReference",
        "An object without which this one has no reason to exist.",
        Field(5, "apiVersion", Text, "Group and version of the owner.").Required(),
        Field(1, "kind", Text, "Kind of the owner.").Required(),
        Field(3, "name", Text, "Name of the owner, in the same namespace or cluster-wide.").Required(),
        Field(4, "uid", Text, "UID of the owner: one of the same name made later is not it.").Required(),
        Field(6, "controller", Flag, "True for the one owner that manages this object."),
        Field(7, "blockOwnerDeletion", Flag, "True when a foreground deletion of the owner waits for this object."));

    private static readonly ObjectSchema ManagedFieldsEntry = new(
        Prefix + "ManagedFieldsEntry",
        "The fields that one manager set.",
        Field(1, "manager", Text, "Who set them."),
        Field(2, "operation", Text, "How: Apply or Update."),
        Field(3, "apiVersion", Text, "The version in which the fields are written."),
        Field(4, "time", Time, "When this entry last changed."),
        Field(6, "fieldsType", Text, "The form of the set; FieldsV1."),
        Field(7, "fieldsV1", FreeForm, "The set."),
        Field(8, "subresource", Text, "The subresource through which they were set."));

    public static ObjectSchema ObjectMeta { get; } = new(
        Prefix + "ObjectMeta",
        "Identity and bookkeeping of an object.",
        Field(1, "name", Text, "Unique among the objects of the kind in the namespace. Cannot be changed."),
        Field(2, "generateName", Text, "A prefix for the name: the server appends random characters when no name is given."),
        Field(3, "namespace", Text, "The scope of the name. Empty for cluster-wide kinds. Cannot be changed."),
        Field(4, "selfLink", Text, "No longer filled in; accepted and dropped."),
        Field(5, "uid", Text, "Set by the server: tells this object from a later one of the same name."),
        Field(6, "resourceVersion", Text, "Changes with every write. Send it back with an update to learn of a lost race."),
        Field(7, "generation", Integer64, "Counts the changes of what is wanted. Set by the server."),
        Field(8, "creationTimestamp", Time, "When the object was made. Set by the server."),
        Field(9, "deletionTimestamp", Time, "When the object is to be gone, once deletion was asked for. Set by the server."),
        Field(10, "deletionGracePeriodSeconds", Integer64, "Seconds that the object may take to go. Set by the server.").ZeroIsAValue(),
        Field(11, "labels", TextMap, "Short facts to select objects by."),
        Field(12, "annotations", TextMap, "Facts of any length for people and programs; not to select by."),
        Field(13, "ownerReferences", ListByKey(OwnerReference, "uid"), "Objects without which this one is to go.").Merged("uid"),
        Field(14, "finalizers", SetOf(Text), "Those who still have work to do before the object may go.").Merged(),
        Field(17, "managedFields", ListOf(ManagedFieldsEntry), "Which manager set which field."));

    public static ObjectSchema ListMeta { get; } = new(
        Prefix + "ListMeta",
        "Bookkeeping of a list.",
        Field(1, "selfLink", Text, "No longer filled in."),
        Field(2, "resourceVersion", Text, "The state that the list shows: a watch from here misses nothing."),
        Field(3, "continue", Text, "Ask again with it for the next page."),
        Field(4, "remainingItemCount", Integer64, "How many items come after this page."));

    /// <summary>The condition of most kinds; KubeVirt's has a probe time too.</summary>
    public static ObjectSchema Condition { get; } = new(
        Prefix + "Condition",
        "One observed fact about an object.",
        Field("type", Text, "What is observed; at most one condition of each type.").Required(),
        Field("status", OneOf("True", "False", "Unknown"), "Whether it is so.").Required(),
        Field("reason", Text, "Why, as one word in CamelCase."),
        Field("message", Text, "Why, in words."),
        Field("lastProbeTime", Time, "When it was last looked at."),
        Field("lastTransitionTime", Time, "When the status last changed."));

    private static readonly ObjectSchema Preconditions = new(
        Prefix + "Preconditions",
        "What must still be so for a deletion to go ahead.",
        Field(1, "uid", Text, "The object's UID."),
        Field(2, "resourceVersion", Text, "The object's version."));

    public static ObjectSchema DeleteOptions { get; } = new(
        Prefix + "DeleteOptions",
        "How an object is to be deleted.",
        Field("apiVersion", Text, "Group and version of these options."),
        Field("kind", Text, "DeleteOptions."),
        Field(1, "gracePeriodSeconds", Integer64, "Seconds that the object may take to go; 0 is at once.").ZeroIsAValue(),
        Field(2, "preconditions", Preconditions, "What must still be so."),
        Field(3, "orphanDependents", Flag, "Older way to say propagationPolicy Orphan."),
        Field(4, "propagationPolicy", OneOf("Orphan", "Background", "Foreground"), "What happens to the objects that this one owns."),
        Field(5, "dryRun", ListOf(Text), "All: check everything, change nothing."),
        Field(6, "ignoreStoreReadErrorWithClusterBreakingPotential", Flag, "Not supported; false is accepted."));

    public static ObjectSchema PatchOptions { get; } = new(
        Prefix + "PatchOptions",
        "How a patch is to be applied.",
        Field("apiVersion", Text, "Group and version of these options."),
        Field("kind", Text, "PatchOptions."),
        Field(1, "dryRun", ListOf(Text), "All: check everything, change nothing."),
        Field(2, "force", Flag, "Take fields over from other managers."),
        Field(3, "fieldManager", Text, "Who patches."),
        Field(4, "fieldValidation", OneOf("Ignore", "Warn", "Strict"), "What to do about unknown and repeated fields."));
}
