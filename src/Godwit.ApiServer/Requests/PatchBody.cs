using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Patches;

namespace Godwit.ApiServer.Requests;

/// <summary>A patch as the client sent it, ready to be applied to whatever is there, as often as it takes.</summary>
/// <param name="Change">From the object as it is to the object as it is to be.</param>
/// <param name="DuplicateFields">Fields that the patch gives twice, by path.</param>
internal sealed record PatchBody(Func<JsonObject, JsonObject> Change, IReadOnlyList<string> DuplicateFields)
{
    private const string Accepted = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json";

    /// <exception cref="StatusException">A form of patch that is not served (415), or a body that is none (400).</exception>
    public static async Task<PatchBody> ReadAsync(ApiRequest request, ObjectSchema schema)
    {
        var type = BodyReader.MediaType(request.Http);
        var bytes = await BodyReader.ReadBytesAsync(request);
        return type switch
        {
            "application/json-patch+json" => JsonPatchOf(bytes),
            "application/merge-patch+json" => Merge(JsonBody.Parse(bytes)),
            "application/strategic-merge-patch+json" => Strategic(JsonBody.Parse(bytes), schema),
            "application/apply-patch+yaml" => throw StatusException.UnsupportedMediaType($"server-side apply (application/apply-patch+yaml) is not served yet: use client-side apply, or one of: {Accepted}"),
            _ => throw StatusException.UnsupportedMediaType($"the body of the request was in an unknown format - accepted media types include: {Accepted}"),
        };
    }

    /// <summary>Applies the patch; what is wrong with it is the client's to know.</summary>
    public JsonObject Apply(JsonObject target, StatusSubject subject)
    {
        try
        {
            return Change(target);
        }
        catch (PatchException error)
        {
            throw error.IsMalformed
                ? StatusException.BadRequest(error.Message, error)
                : StatusException.Invalid(subject, error.Message, [new StatusCause("FieldValueInvalid", error.Message, "patch")]);
        }
    }

    private static PatchBody JsonPatchOf(byte[] bytes)
    {
        var operations = JsonBody.ParseNode(bytes, out var duplicates) as JsonArray ?? throw StatusException.BadRequest("a JSON patch must be an array of operations");
        return new PatchBody(target => JsonPatch.Apply(target, operations), duplicates);
    }

    private static PatchBody Merge(JsonBody body) =>
        new(target => MergePatch.Apply(target, body.Value)!.AsObject(), body.DuplicateFields);

    private static PatchBody Strategic(JsonBody body, ObjectSchema schema) =>
        new(target => StrategicMergePatch.Apply(target, body.Value, schema), body.DuplicateFields);
}
