using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Patches;

namespace Godwit.ApiServer.Requests;

/// <summary>A patch as the client sent it, ready to be applied to whatever is there, as often as it takes.</summary>
/// <param name="Change">From the object as it is to the object as it is to be.</param>
/// <param name="DuplicateFields">Fields that the patch gives twice, by path.</param>
internal sealed record PatchBody(Func<JsonObject, JsonObject> Change, IReadOnlyList<string> DuplicateFields)
{
    /// <summary>The one form that is no change to what is there but says what is to be: server-side apply.</summary>
    public const string ApplyType = "application/apply-patch+yaml";

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
            ApplyType => throw StatusException.UnsupportedMediaType($"{ApplyType} is not served for this resource: use one of: {Accepted}"),
            _ => throw StatusException.UnsupportedMediaType($"the body of the request was in an unknown format - accepted media types include: {Accepted}, {ApplyType}"),
        };
    }

    /// <summary>The configuration of a server-side apply. It is YAML, of which JSON is a part; most clients send JSON.</summary>
    /// <exception cref="StatusException">Neither, or no object: 400.</exception>
    public static async Task<JsonBody> ReadConfigurationAsync(ApiRequest request)
    {
        var bytes = await BodyReader.ReadBytesAsync(request);
        return JsonBody.TryParse(bytes) ?? YamlBody.Parse(bytes);
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
