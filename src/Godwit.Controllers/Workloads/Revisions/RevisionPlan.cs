using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.Revisions;

/// <summary>What is to be written of a set's history now.</summary>
/// <param name="Current">The revision of the present template, with the number that it is to have.</param>
/// <param name="Before">The same as the server has it; null when it is to be made.</param>
/// <param name="Expired">Revisions that no pod has and that nobody goes back to: deleted.</param>
internal sealed record RevisionPlan(ControllerRevision Current, ControllerRevision? Before, IReadOnlyList<ControllerRevision> Expired);

/// <summary>
/// The history of a daemon set or a stateful set: one ControllerRevision for each template that it had, numbered. Its data is a patch, as Kubernetes
/// has it, so that <c>kubectl rollout undo</c> can lay it over the set; going back makes the revision of the old template the newest.
/// </summary>
internal static class RevisionPlanner
{
    /// <summary>On pods and revisions: which template.</summary>
    public const string HashLabel = "controller-revision-hash";

    private const int HistoryDefault = 10;

    /// <param name="owner">The set.</param>
    /// <param name="template">Its present template.</param>
    /// <param name="own">The revisions that it controls.</param>
    /// <param name="isInUse">Whether any pod is of that revision.</param>
    /// <param name="limit">So many unused old ones are kept.</param>
    /// <param name="collisions">How often a name was found taken.</param>
    public static RevisionPlan For(Resource owner, PodTemplate template, IReadOnlyList<ControllerRevision> own, Func<ControllerRevision, bool> isInUse, int? limit, int collisions)
    {
        var data = DataOf(template);
        var numbered = own.OrderBy(revision => revision.Revision).ThenBy(ResourceKey.Of).ToList();
        var before = numbered.LastOrDefault(revision => JsonNode.DeepEquals(revision.Data, data));
        var newest = numbered.Where(revision => revision != before).Select(revision => revision.Revision).DefaultIfEmpty().Max();
        var current = before is null ? New(owner, template, data, collisions, newest + 1) : before.Revision > newest ? before : before with { Revision = newest + 1 };
        var unused = numbered.Where(revision => revision != before && !isInUse(revision)).ToList();
        return new RevisionPlan(current, before, [.. unused.Take(Math.Max(0, unused.Count - (limit ?? HistoryDefault)))]);
    }

    public static string HashOf(ControllerRevision revision) => revision.Metadata.Labels.GetValueOrDefault(HashLabel) ?? "";

    /// <summary>The template that a revision stands for.</summary>
    public static PodTemplate TemplateOf(ControllerRevision revision)
    {
        var template = revision.Data?["spec"]?["template"]?.DeepClone().AsObject() ?? [];
        template.Remove("$patch");
        return GodwitJson.FromNode<PodTemplate>(template);
    }

    private static JsonObject DataOf(PodTemplate template)
    {
        var whole = GodwitJson.ToObject(template);
        whole["$patch"] = "replace";
        return new JsonObject { ["spec"] = new JsonObject { ["template"] = whole } };
    }

    private static ControllerRevision New(Resource owner, PodTemplate template, JsonObject data, int collisions, long number)
    {
        var hash = PodTemplates.HashOf(template, collisions);
        return new ControllerRevision
        {
            Metadata = new ObjectMeta
            {
                Namespace = owner.Metadata.Namespace,
                Name = $"{owner.Metadata.Name}-{hash}",
                Labels = PodTemplates.With(template.Metadata?.Labels, new Dictionary<string, string> { [HashLabel] = hash }),
                OwnerReferences = [PodTemplates.ReferenceTo(owner)],
            },
            Data = data,
            Revision = number,
        };
    }
}
