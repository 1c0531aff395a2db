using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery;

/// <summary>What holds for the metadata of every kind. The schema is checked before: types are right here.</summary>
public static class MetadataRules
{
    /// <summary>Keys and values of all annotations together, in characters.</summary>
    public const int AnnotationsLengthMax = 256 * 1024;

    private static readonly string[] ShortFinalizers =
        [FinalizerNames.ForegroundDeletion, FinalizerNames.Orphan, "kubernetes"];

    public static IEnumerable<FieldError> Validate(ResourceDefinition definition, JsonObject resource)
    {
        var meta = resource.ObjectAt("metadata") ?? [];
        return ValidateName(definition, meta)
            .Concat(ValidateLabels(meta.ObjectAt("labels"), "metadata.labels"))
            .Concat(ValidateAnnotations(meta.ObjectAt("annotations"), "metadata.annotations"))
            .Concat(ValidateFinalizers(meta.ArrayAt("finalizers")))
            .Concat(ValidateOwners(meta.ArrayAt("ownerReferences")));
    }

    /// <summary>What no update may change. A field that the update leaves out is not changed.</summary>
    public static IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        foreach (var name in new[] { "name", "namespace", "uid", "creationTimestamp" })
        {
            if (updated.TextAt("metadata", name) is { } now && now != existing.TextAt("metadata", name))
            {
                yield return FieldError.Invalid($"metadata.{name}", now, "field is immutable");
            }
        }
    }

    public static IEnumerable<FieldError> ValidateLabels(JsonObject? labels, string path)
    {
        foreach (var (key, value) in labels ?? [])
        {
            if (Names.CheckQualifiedName(key) is { } wrongKey)
            {
                yield return FieldError.Invalid(path, key, wrongKey);
            }

            if (Names.CheckLabelValue(JsonAccess.AsText(value) ?? "") is { } wrongValue)
            {
                yield return FieldError.Invalid(path, value, wrongValue);
            }
        }
    }

    public static IEnumerable<FieldError> ValidateAnnotations(JsonObject? annotations, string path)
    {
        var length = 0L;
        foreach (var (key, value) in annotations ?? [])
        {
            length += key.Length + (JsonAccess.AsText(value) ?? "").Length;
            // An annotation's key may have upper case in its prefix; everything else is as for labels.
            if (Names.CheckQualifiedName(key.ToLowerInvariant()) is { } wrong)
            {
                yield return FieldError.Invalid(path, key, wrong);
            }
        }

        if (length > AnnotationsLengthMax)
        {
            yield return FieldError.TooLong(path, $"must have at most {AnnotationsLengthMax} characters");
        }
    }

    private static IEnumerable<FieldError> ValidateName(ResourceDefinition definition, JsonObject meta)
    {
        var (name, prefix) = (meta.TextAt("name") ?? "", meta.TextAt("generateName") ?? "");
        if (prefix.Length > 0 && Names.Check(prefix, definition.Strategy.NameRule, isPrefix: true) is { } wrongPrefix)
        {
            yield return FieldError.Invalid("metadata.generateName", prefix, wrongPrefix);
        }

        if (name.Length == 0 && prefix.Length == 0)
        {
            yield return FieldError.Required("metadata.name", "name or generateName is required");
        }
        else if (name.Length > 0 && Names.Check(name, definition.Strategy.NameRule) is { } wrong)
        {
            yield return FieldError.Invalid("metadata.name", name, wrong);
        }

        var scope = meta.TextAt("namespace") ?? "";
        if (!definition.Namespaced && scope.Length > 0)
        {
            yield return FieldError.Forbidden("metadata.namespace", "not allowed on this type");
        }
        else if (definition.Namespaced && Names.CheckDnsLabel(scope) is { } wrongScope)
        {
            yield return scope.Length == 0
                ? FieldError.Required("metadata.namespace", "")
                : FieldError.Invalid("metadata.namespace", scope, wrongScope);
        }
    }

    private static IEnumerable<FieldError> ValidateFinalizers(JsonArray? finalizers)
    {
        foreach (var finalizer in finalizers ?? [])
        {
            var name = JsonAccess.AsText(finalizer) ?? "";
            if (Names.CheckQualifiedName(name) is { } wrong)
            {
                yield return FieldError.Invalid("metadata.finalizers", finalizer, wrong);
            }
            else if (!name.Contains('/', StringComparison.Ordinal) && !ShortFinalizers.Contains(name))
            {
                yield return FieldError.Invalid("metadata.finalizers", finalizer, "name is neither a standard finalizer name nor is it fully qualified");
            }
        }

        if (finalizers is not null && Holds(finalizers, FinalizerNames.Orphan) && Holds(finalizers, FinalizerNames.ForegroundDeletion))
        {
            yield return FieldError.Invalid("metadata.finalizers", finalizers, "orphan and foregroundDeletion exclude each other");
        }
    }

    private static IEnumerable<FieldError> ValidateOwners(JsonArray? owners)
    {
        var controllers = 0;
        for (var index = 0; index < (owners?.Count ?? 0); index++)
        {
            var (owner, path) = (owners![index], $"metadata.ownerReferences[{index}]");
            foreach (var name in new[] { "apiVersion", "kind", "name", "uid" })
            {
                if (string.IsNullOrEmpty(owner.TextAt(name)))
                {
                    yield return FieldError.Invalid($"{path}.{name}", owner.At(name), "must not be empty");
                }
            }

            if (JsonAccess.AsBoolean(owner.At("controller")) == true && ++controllers == 2)
            {
                yield return FieldError.Invalid("metadata.ownerReferences", owner.At("name"), "only one reference can have controller set to true");
            }
        }
    }

    private static bool Holds(JsonArray list, string text) => list.Any(item => JsonAccess.AsText(item) == text);
}
