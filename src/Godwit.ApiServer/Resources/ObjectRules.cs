using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>The rules that hold for objects of every kind, as pure steps of a write.</summary>
internal static class ObjectRules
{
    private static readonly string[] SystemFields = ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"];

    /// <summary>Holds the body to the URL: kind, version, namespace and name. What the body leaves out, the URL says.</summary>
    public static void CheckIdentity(JsonObject resource, WriteContext write)
    {
        var definition = write.Resource.Definition;
        CheckType(resource, "apiVersion", definition.ApiVersion, "the API version in the data");
        CheckType(resource, "kind", definition.Kind, "the kind in the data");
        var meta = Meta.Of(resource);
        if (meta.Namespace.Length > 0 && meta.Namespace != write.Namespace)
        {
            throw StatusException.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        }

        if (write.Name.Length > 0 && meta.Name.Length > 0 && meta.Name != write.Name)
        {
            throw StatusException.BadRequest($"the name of the object ({meta.Name}) does not match the name on the URL ({write.Name})");
        }

        meta.Namespace = write.Namespace;
        if (write.Name.Length > 0)
        {
            meta.Name = write.Name;
        }
    }

    /// <summary>Holds the object to its kind's schema; fields that the kind does not have are dropped or refused.</summary>
    /// <exception cref="StatusException">422 for values of the wrong shape; for unknown fields as the client asked, or 422 where dropping them is not safe.</exception>
    public static void CheckSchema(JsonObject resource, WriteContext write, bool isPartial = false)
    {
        var definition = write.Resource.Definition;
        var findings = SchemaCheck.Run(definition.Schema, resource, isPartial);
        if (findings.AreNone)
        {
            return;
        }

        var unsupported = definition.RefusesUnknownFields
            ? findings.UnknownFields.Select(path => new FieldError(FieldErrorKind.Forbidden, path, "Godwit does not support this field"))
            : [];
        FieldErrors.ThrowIfAny(findings.Errors.Concat(unsupported), write.Subject);
        FieldValidations.Complain(write, findings.UnknownFields, "unknown");
    }

    /// <summary>Sets what the server alone decides of a new object.</summary>
    public static void SetCreated(JsonObject resource, WriteContext write, DateTimeOffset now, Guid uid)
    {
        var definition = write.Resource.Definition;
        var meta = Meta.Of(resource);
        meta.Remove("deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink", "managedFields");
        meta.Uid = uid.ToString();
        meta.SetText("creationTimestamp", Meta.Time(now));
        if (definition.Strategy.TracksGeneration)
        {
            meta.Generation = 1;
        }
    }

    /// <summary>
    /// What an update may really change: the main resource everything but status, the status subresource only status;
    /// neither what the system sets.
    /// </summary>
    public static JsonObject MergeForUpdate(JsonObject updated, JsonObject existing, WriteContext write)
    {
        var result = updated;
        if (write.Subresource == "status")
        {
            result = existing.DeepClone().AsObject();
            SetOrRemove(result, "status", updated["status"]);
        }
        else if (write.Resource.Definition.HasStatus)
        {
            SetOrRemove(result, "status", existing["status"]);
        }

        if (write.Subresource == "ephemeralcontainers")
        {
            result = existing.DeepClone().AsObject();
            SetOrRemove(result.GetOrAddObject("spec"), "ephemeralContainers", updated["spec"]?["ephemeralContainers"]);
        }

        if (Finalizers.IsNamespace(write.Resource.Definition))
        {
            // A namespace's spec is what holds it until it is empty: only finalize may change it.
            result = write.Subresource == "finalize" ? existing.DeepClone().AsObject() : result;
            SetOrRemove(result, "spec", (write.Subresource == "finalize" ? updated : existing)["spec"]);
        }

        var (meta, there) = (Meta.Of(result), Meta.Of(existing));
        meta.CopyFrom(there, SystemFields);
        meta.Remove("selfLink");
        if (there.IsDeleting && meta.Finalizers.Except(there.Finalizers, StringComparer.Ordinal).FirstOrDefault() is { } added)
        {
            throw StatusException.Invalid(write.Subject, "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted",
                [new StatusCause("FieldValueForbidden", $"Forbidden: no new finalizers can be added if the object is being deleted, found new finalizer \"{added}\"", "metadata.finalizers")]);
        }

        return result;
    }

    /// <summary>Raises metadata.generation when anything but metadata and status changed.</summary>
    public static void SetGeneration(JsonObject updated, JsonObject existing, ResourceDefinition definition)
    {
        if (!definition.Strategy.TracksGeneration)
        {
            return;
        }

        var names = updated.Select(field => field.Key).Union(existing.Select(field => field.Key), StringComparer.Ordinal);
        if (names.Any(name => name is not ("metadata" or "status" or "apiVersion" or "kind") && !JsonNode.DeepEquals(updated[name], existing[name])))
        {
            Meta.Of(updated).Generation = Meta.Of(existing).Generation + 1;
        }
    }

    /// <exception cref="StatusException">422 with every error found.</exception>
    public static void Validate(JsonObject resource, JsonObject? existing, WriteContext write)
    {
        var strategy = write.Resource.Definition.Strategy;
        var errors = MetadataRules.Validate(write.Resource.Definition, resource).Concat(strategy.Validate(resource));
        errors = errors.Concat(existing is null ? strategy.ValidateCreate(resource) : MetadataRules.ValidateUpdate(resource, existing).Concat(strategy.ValidateUpdate(resource, existing)));

        FieldErrors.ThrowIfAny(errors, write.Subject);
        foreach (var advice in strategy.Warnings(resource))
        {
            write.Warn(advice);
        }
    }

    private static void CheckType(JsonObject resource, string field, string expected, string what)
    {
        var given = resource[field] switch
        {
            null => "",
            JsonValue value when value.TryGetValue<string>(out var text) => text,
            _ => throw StatusException.BadRequest($"{field} must be a string"),
        };
        if (given.Length > 0 && given != expected)
        {
            throw StatusException.BadRequest($"{what} ({given}) does not match the expected {(field == "kind" ? "kind" : "API version")} ({expected})");
        }

        resource[field] = expected;
    }

    private static void SetOrRemove(JsonObject resource, string name, JsonNode? value)
    {
        if (value is null)
        {
            resource.Remove(name);
        }
        else
        {
            resource[name] = value.DeepClone();
        }
    }
}
