using System.Text.Json.Nodes;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>A patch as the client sent it, ready to be applied to whatever is there.</summary>
internal sealed record PatchBody(Func<JsonObject, JsonObject> Apply)
{
    public static async Task<PatchBody> ReadAsync(ApiRequest request, ServedResource resource)
    {
        var type = BodyReader.MediaType(request.Http);
        var bytes = await BodyReader.ReadBytesAsync(request);
        return type switch
        {
            "application/merge-patch+json" => new PatchBody(target => Merge(target, JsonBody.Parse(bytes).Value)),
            _ => throw StatusException.UnsupportedMediaType("the body of the request was in an unknown format - accepted media types include: application/merge-patch+json"),
        };
    }

    private static JsonObject Merge(JsonObject target, JsonObject patch)
    {
        foreach (var (name, value) in patch)
        {
            if (value is null)
            {
                target.Remove(name);
            }
            else if (value is JsonObject inner)
            {
                target[name] = Merge(target[name] is JsonObject there ? there.DeepClone().AsObject() : [], inner);
            }
            else
            {
                target[name] = value.DeepClone();
            }
        }

        return target;
    }
}
