using System.Buffers;
using Godwit.Api;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Protobuf;
using Godwit.ApiServer.Resources;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Requests;

/// <summary>Reads request bodies within their bounds.</summary>
internal static class BodyReader
{
    /// <summary>The media type without parameters, lower case; JSON when the client does not say.</summary>
    public static string MediaType(HttpContext http)
    {
        var type = http.Request.ContentType ?? "";
        var end = type.IndexOf(';', StringComparison.Ordinal);
        type = (end < 0 ? type : type[..end]).Trim().ToLowerInvariant();
        return type.Length == 0 ? "application/json" : type;
    }

    /// <summary>The whole body.</summary>
    /// <exception cref="StatusException">It is longer than <see cref="JsonLimits.BodyBytesMax"/>: 413.</exception>
    public static async Task<byte[]> ReadBytesAsync(ApiRequest request)
    {
        if (request.Http.Request.ContentLength > JsonLimits.BodyBytesMax)
        {
            throw StatusException.TooLarge(JsonLimits.BodyBytesMax);
        }

        var reader = request.Http.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(request.Stopping);
            if (read.Buffer.Length > JsonLimits.BodyBytesMax)
            {
                reader.AdvanceTo(read.Buffer.End);
                throw StatusException.TooLarge(JsonLimits.BodyBytesMax);
            }

            if (read.IsCompleted)
            {
                var bytes = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return bytes;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    /// <summary>The body as an object, whatever form it came in.</summary>
    /// <exception cref="StatusException">Unknown form (415), or not an object in that form (400).</exception>
    public static async Task<JsonBody> ReadObjectAsync(ApiRequest request, ResourceType type, ObjectSchema schema) =>
        ToObject(request, await ReadBytesAsync(request), type, schema);

    /// <summary>A body already read, as an object.</summary>
    /// <exception cref="StatusException">Unknown form (415), or not an object in that form (400).</exception>
    public static JsonBody ToObject(ApiRequest request, byte[] bytes, ResourceType type, ObjectSchema schema) => MediaType(request.Http) switch
        {
        "application/json" => JsonBody.Parse(bytes),
        "application/yaml" => YamlBody.Parse(bytes),
        ProtobufBody.MediaType when HasProtobufForm(type) => Protobuf(bytes, schema),
        _ => throw StatusException.UnsupportedMediaType(
            $"the body of the request was in an unknown format - accepted media types include: application/json, application/yaml{(HasProtobufForm(type) ? $", {ProtobufBody.MediaType}" : "")}"),
    };

    /// <summary>Kubernetes' own kinds have a protobuf form; others, in Kubernetes as here, have none.</summary>
    private static bool HasProtobufForm(ResourceType type) => type.Group is "" || type.Group.EndsWith(".k8s.io", StringComparison.Ordinal) || !type.Group.Contains('.', StringComparison.Ordinal);

    private static JsonBody Protobuf(byte[] bytes, ObjectSchema schema)
    {
        try
        {
            return new JsonBody(ProtobufBody.Decode(bytes, schema), []);
        }
        catch (FormatException error)
        {
            throw StatusException.BadRequest(Base.ErrorChain.Describe(error), error);
        }
    }
}
