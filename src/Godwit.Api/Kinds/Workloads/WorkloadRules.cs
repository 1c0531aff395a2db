using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds.Pods;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Selectors;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Kinds.Workloads;

/// <summary>What holds for all kinds that make pods from a template.</summary>
internal static class WorkloadRules
{
    /// <summary>What pods' template must hold, and the selector that finds its pods again.</summary>
    /// <param name="selector">The selector, or null where the kind does without one.</param>
    /// <param name="template">The template, with its defaults.</param>
    /// <param name="restartPolicies">The policies that the kind's pods may have.</param>
    /// <param name="path">Where selector and template stand.</param>
    public static IEnumerable<FieldError> ValidateTemplate(LabelSelectorSpec? selector, PodTemplate? template, IReadOnlyList<string> restartPolicies, string path = "spec")
    {
        var labels = template?.Metadata?.Labels ?? ObjectMeta.Empty;
        if (selector is not null)
        {
            foreach (var error in ValidateSelector(selector, $"{path}.selector", mayBeEmpty: false))
            {
                yield return error;
            }

            if (!LabelSelector.FromSpec(selector).Matches(labels))
            {
                yield return FieldError.Invalid($"{path}.template.metadata.labels", TextMap(labels), "`selector` does not match template `labels`");
            }
        }

        if (template?.Spec is not { } spec)
        {
            yield return FieldError.Required($"{path}.template.spec", "what the pods are to be");
            yield break;
        }

        var errors = MetadataRules.ValidateLabels(TextMap(labels), $"{path}.template.metadata.labels")
            .Concat(MetadataRules.ValidateAnnotations(TextMap(template.Metadata?.Annotations ?? ObjectMeta.Empty), $"{path}.template.metadata.annotations"))
            .Concat(PodRules.Validate(spec, $"{path}.template.spec"));
        foreach (var error in errors)
        {
            yield return error;
        }

        if (!restartPolicies.Contains(spec.RestartPolicy ?? "Always"))
        {
            yield return FieldError.NotSupported($"{path}.template.spec.restartPolicy", spec.RestartPolicy ?? "Always", [.. restartPolicies]);
        }

        if (spec.EphemeralContainers.Count > 0)
        {
            yield return FieldError.Forbidden($"{path}.template.spec.ephemeralContainers", "ephemeral containers are not allowed in pod templates");
        }
    }

    public static IEnumerable<FieldError> ValidateSelector(LabelSelectorSpec selector, string path, bool mayBeEmpty)
    {
        if (!mayBeEmpty && selector.MatchLabels.Count == 0 && selector.MatchExpressions.Count == 0)
        {
            yield return FieldError.Invalid(path, new JsonObject(), "empty selector is invalid: it would pick every pod");
        }

        foreach (var error in MetadataRules.ValidateLabels(TextMap(selector.MatchLabels), $"{path}.matchLabels"))
        {
            yield return error;
        }

        for (var index = 0; index < selector.MatchExpressions.Count; index++)
        {
            var (expression, where) = (selector.MatchExpressions[index], $"{path}.matchExpressions[{index}]");
            if (Names.CheckQualifiedName(expression.Key) is { } wrong)
            {
                yield return FieldError.Invalid($"{where}.key", expression.Key, wrong);
            }

            if (expression.Operator is "In" or "NotIn" && expression.Values.Count == 0)
            {
                yield return FieldError.Required($"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'");
            }
            else if (expression.Operator is "Exists" or "DoesNotExist" && expression.Values.Count > 0)
            {
                yield return FieldError.Forbidden($"{where}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
            }
        }
    }

    /// <summary>Numbers that count something: each that is said is 0 or more.</summary>
    public static IEnumerable<FieldError> ValidateCounts(params IEnumerable<(string Path, long? Value)> counts) =>
        from count in counts where count.Value < 0 select FieldError.Invalid(count.Path, count.Value, "must be greater than or equal to 0");

    /// <summary>A number of pods, or a percentage.</summary>
    public static IEnumerable<FieldError> ValidateShare(IntOrText? share, string path) =>
        share is not { } given || (given.IsNumber ? given.Number >= 0 : PercentOf(given) is >= 0)
            ? []
            : [FieldError.Invalid(path, given.ToString(), "must be 0 or more, or a percentage such as 25%")];

    /// <summary>True for a share that is no pod at all.</summary>
    public static bool IsNothing(IntOrText? share) => share is { } given && (given.IsNumber ? given.Number == 0 : PercentOf(given) == 0);

    /// <summary>Fields that stay as they were made.</summary>
    public static IEnumerable<FieldError> ValidateUnchanged(JsonObject updated, JsonObject existing, params IEnumerable<string[]> fields) =>
        from field in fields where !JsonNode.DeepEquals(updated.At(field), existing.At(field)) select FieldError.Invalid(string.Join('.', field), updated.At(field), "field is immutable");

    /// <summary>What a template means where it says nothing.</summary>
    public static void ApplyTemplateDefaults(JsonObject template)
    {
        template.GetOrAddObject("metadata");
        PodDefaults.Apply(template.GetOrAddObject("spec"));
    }

    private static int? PercentOf(IntOrText share) =>
        share.Text is [.. var digits, '%'] && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var percent) ? percent : null;

    private static JsonObject TextMap(IReadOnlyDictionary<string, string> map) => new(map.Select(entry => KeyValuePair.Create<string, JsonNode?>(entry.Key, entry.Value)));
}
