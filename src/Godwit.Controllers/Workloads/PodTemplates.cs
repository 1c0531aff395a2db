using System.Security.Cryptography;
using Godwit.Api.Machinery.Selectors;

namespace Godwit.Controllers.Workloads;

/// <summary>Pods from templates, and templates compared.</summary>
internal static class PodTemplates
{
    /// <summary>A label that tells the pods of one template from those of another.</summary>
    public const string HashLabel = "pod-template-hash";

    private const string Letters = "bcdfghjklmnpqrstvwxz2456789"; // No vowels: no words come out by chance.
    private const int HashLetters = 10;

    /// <summary>A pod of this owner; without a name the server gives it one that begins with the owner's.</summary>
    public static Pod PodOf(PodTemplate? template, Resource owner, string? name = null, IReadOnlyDictionary<string, string>? moreLabels = null) => new()
    {
        Metadata = new ObjectMeta
        {
            Namespace = owner.Metadata.Namespace,
            Name = name ?? "",
            GenerateName = name is null ? owner.Metadata.Name + "-" : null,
            Labels = With(template?.Metadata?.Labels, moreLabels),
            Annotations = template?.Metadata?.Annotations ?? ObjectMeta.Empty,
            Finalizers = template?.Metadata?.Finalizers ?? [],
            OwnerReferences = [ReferenceTo(owner)],
        },
        Spec = template?.Spec ?? new PodSpec(),
    };

    public static OwnerReference ReferenceTo(Resource owner) => new()
    {
        ApiVersion = owner.ApiVersion,
        Kind = owner.Kind,
        Name = owner.Metadata.Name,
        Uid = owner.Metadata.Uid,
        Controller = true,
        BlockOwnerDeletion = true,
    };

    /// <summary>Whether both make the same pods; the label that tells them apart does not count.</summary>
    public static bool AreSame(PodTemplate? left, PodTemplate? right) => JsonNode.DeepEquals(Canonical(left), Canonical(right));

    /// <summary>A short name for a template: the same for the same, another after <paramref name="collisions"/> found it taken by another.</summary>
    public static string HashOf(PodTemplate template, int collisions)
    {
        var text = Sorted(Canonical(template)).ToJsonString() + (collisions == 0 ? "" : $"#{collisions}");
        var digest = SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text));
        return string.Create(HashLetters, digest, (letters, bytes) =>
        {
            for (var i = 0; i < letters.Length; i++)
            {
                letters[i] = Letters[bytes[i] % Letters.Length];
            }
        });
    }

    public static PodTemplate WithLabel(PodTemplate template, string label, string value) => template with
    {
        Metadata = (template.Metadata ?? new ObjectMeta()) with { Labels = With(template.Metadata?.Labels, new Dictionary<string, string> { [label] = value }) },
    };

    public static LabelSelector SelectorOf(LabelSelectorSpec selector) => new(
        [
            .. selector.MatchLabels.Select(label => new LabelRequirement(label.Key, SelectorOperator.In, [label.Value])),
            .. selector.MatchExpressions.Select(RequirementOf),
        ]);

    private static LabelRequirement RequirementOf(LabelSelectorRequirement each) => each.Operator switch
    {
        "In" => new LabelRequirement(each.Key, SelectorOperator.In, each.Values),
        "NotIn" => new LabelRequirement(each.Key, SelectorOperator.NotIn, each.Values),
        "Exists" => new LabelRequirement(each.Key, SelectorOperator.Exists, []),
        "DoesNotExist" => new LabelRequirement(each.Key, SelectorOperator.NotExists, []),
        _ => new LabelRequirement(each.Key, SelectorOperator.In, []), // Nothing matches; validation lets none through.
    };

    public static Dictionary<string, string> With(IReadOnlyDictionary<string, string>? labels, IReadOnlyDictionary<string, string>? more)
    {
        var all = new Dictionary<string, string>(labels ?? ObjectMeta.Empty, StringComparer.Ordinal);
        foreach (var (key, value) in more ?? ObjectMeta.Empty)
        {
            all[key] = value;
        }

        return all;
    }

    private static JsonObject Canonical(PodTemplate? template)
    {
        var node = GodwitJson.ToObject(template ?? new PodTemplate());
        if (node["metadata"] is JsonObject metadata)
        {
            (metadata["labels"] as JsonObject)?.Remove(HashLabel);
            if (metadata["labels"] is JsonObject { Count: 0 })
            {
                metadata.Remove("labels");
            }

            if (metadata.Count == 0)
            {
                node.Remove("metadata");
            }
        }

        return node;
    }

    /// <summary>Maps come in any order.</summary>
    private static JsonNode Sorted(JsonNode node) => node switch
    {
        JsonObject map => new JsonObject(map.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => KeyValuePair.Create(entry.Key, entry.Value is null ? null : Sorted(entry.Value)))),
        JsonArray list => new JsonArray([.. list.Select(item => item is null ? null : Sorted(item))]),
        _ => node.DeepClone(),
    };
}
