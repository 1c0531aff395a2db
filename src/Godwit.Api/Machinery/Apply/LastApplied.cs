using System.Text.Json;
using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery.Apply;

/// <summary>
/// The way over from kubectl's older, client-side apply, which remembers what it applied in an annotation and writes as
/// another manager. Only for the manager <c>kubectl</c>, as in Kubernetes: whoever applies under another name has
/// chosen to be told of the conflict.
/// </summary>
internal static class LastApplied
{
    private const string Annotation = "kubectl.kubernetes.io/last-applied-configuration";
    private const string Kubectl = "kubectl";

    /// <summary>
    /// The fields that this manager set by client-side apply and that are still as it set them: taking these over from
    /// its own former self is no conflict.
    /// </summary>
    public static FieldSet OwnFields(JsonObject live, ResourceDefinition definition, FieldWriter writer)
    {
        if (writer.Manager != Kubectl || Parse(live.TextAt("metadata", "annotations", Annotation)) is not { } applied)
        {
            return FieldSet.Empty;
        }

        var (changed, removed) = FieldWalk.Compare(applied, live, definition.Schema);
        return FieldWalk.FieldsOf(applied, definition.Schema).Except(changed).Except(removed);
    }

    /// <summary>Keeps the annotation true where there is one, for those who go back to client-side apply.</summary>
    public static void Renew(JsonObject resource, JsonObject config, FieldWriter writer)
    {
        if (writer.Manager != Kubectl || resource.ObjectAt("metadata", "annotations") is not { } annotations || !annotations.ContainsKey(Annotation))
        {
            return;
        }

        var applied = config.DeepClone().AsObject();
        applied.ObjectAt("metadata", "annotations")?.Remove(Annotation);
        annotations[Annotation] = applied.ToJsonString() + "\n";
        if (MetadataRules.ValidateAnnotations(annotations, "").Any())
        {
            annotations.Remove(Annotation); // Too large to be kept: what is not there is not wrong.
        }
    }

    private static JsonObject? Parse(string? text)
    {
        try
        {
            return text is null ? null : JsonNode.Parse(text) as JsonObject;
        }
        catch (JsonException)
        {
            return null; // Anybody may write an annotation; nonsense in it owns nothing.
        }
    }
}
