using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Apply;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>Managed fields as requests speak of them.</summary>
internal static class FieldManagers
{
    private const string Nameless = "unknown";

    /// <summary>What the client calls itself; else its program, by the first word of its User-Agent.</summary>
    /// <exception cref="StatusException">The name is too long, or not printable: 422.</exception>
    public static string Of(ApiRequest request)
    {
        var named = request.Query("fieldManager");
        if (named.Length > 0)
        {
            return FieldWriter.CheckManager(named) is { } wrong ? throw Invalid(FieldError.Invalid("fieldManager", named, wrong)) : named;
        }

        var program = request.Http.Request.Headers.UserAgent.ToString().Split('/')[0];
        return program.Length == 0 ? Nameless
            : FieldWriter.CheckManager(program) is null ? program
            : new string([.. program.Where(letter => FieldWriter.CheckManager(letter.ToString()) is null).Take(FieldWriter.ManagerLengthMax)]);
    }

    /// <summary>Whether an apply may take over fields of others.</summary>
    /// <exception cref="StatusException">There is no field manager, without which there is nothing to apply as: 422.</exception>
    public static bool ForceOf(ApiRequest request) => request.Query("fieldManager").Length > 0
        ? request.QueryFlag("force")
        : throw Invalid(FieldError.Required("fieldManager", "is required for apply patch"));

    /// <exception cref="StatusException">Only an apply may be forced: 422.</exception>
    public static void CheckNoForce(ApiRequest request)
    {
        if (request.QueryFlag("force"))
        {
            throw Invalid(FieldError.Forbidden("force", "may not be specified for non-apply patch"));
        }
    }

    public static FieldWriter Writer(WriteContext write, DateTimeOffset now) =>
        new(write.FieldManager, write.Resource.Definition.ApiVersion, write.Subresource, now);

    /// <summary>Keeps the managed fields of an object true across a write that is no apply.</summary>
    /// <exception cref="StatusException">The client sent managed fields that are none: 422.</exception>
    public static void Track(JsonObject? existing, JsonObject updated, WriteContext write, DateTimeOffset now)
    {
        try
        {
            Set(updated, ServerSideApply.Track(existing, updated, write.Resource.Definition, Writer(write, now)));
        }
        catch (FormatException error)
        {
            FieldErrors.ThrowIfAny([new FieldError(FieldErrorKind.Invalid, "metadata.managedFields", error.Message, null)], write.Subject);
            throw;
        }
    }

    /// <summary>Lays a configuration over an object; see <see cref="ServerSideApply.Apply"/>.</summary>
    /// <exception cref="StatusException">Fields of others would change: 409, each as a cause.</exception>
    public static Applied Apply(JsonObject? existing, ApplyRequest apply, WriteContext write, DateTimeOffset now)
    {
        try
        {
            return ServerSideApply.Apply(existing, apply.Config, write.Resource.Definition, Writer(write, now), apply.Force);
        }
        catch (ApplyConflictException error)
        {
            throw StatusException.ApplyConflict(
                error.Message, [.. error.Conflicts.Select(conflict => new StatusCause("FieldManagerConflict", $"conflict with {conflict.Manager}", conflict.Path))], error);
        }
    }

    public static void Set(JsonObject resource, JsonArray? managedFields)
    {
        if (managedFields is null)
        {
            Meta.Of(resource).Remove("managedFields");
        }
        else
        {
            Meta.Of(resource).SetList("managedFields", managedFields);
        }
    }

    private static StatusException Invalid(FieldError error)
    {
        var subject = new StatusSubject("meta.k8s.io", "patchoptions", "", "PatchOptions");
        return StatusException.Invalid(subject, FieldErrors.Describe(error), [FieldErrors.ToCause(error)]);
    }
}

/// <summary>A configuration to be applied.</summary>
/// <param name="Config">The fields that the client cares for.</param>
/// <param name="Force">Take over fields of other managers.</param>
/// <param name="CheckMayCreateAsync">Throws when the client may change what is there but make nothing.</param>
internal sealed record ApplyRequest(JsonObject Config, bool Force, Func<ValueTask> CheckMayCreateAsync);
