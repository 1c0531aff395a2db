using System.Buffers;
using Godwit.Api.Documents;
using Godwit.ApiServer.Requests;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Serving;

/// <summary>
/// Discovery and the OpenAPI documents: bytes that do not change while the server runs, so clients keep them. Discovery
/// is revalidated by its entity tag; a part of OpenAPI v3 is asked for by its hash, and kept for ever.
/// </summary>
internal sealed class DocumentPaths(Discovery discovery, OpenApi openApi)
{
    private const string V3Prefix = "/openapi/v3/";
    private const string V2ProtobufAsked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

    /// <summary>Answers the request if its path is one of a document.</summary>
    public async Task<bool> TryHandleAsync(ApiRequest request)
    {
        var path = request.Info.Path.Length > 1 ? request.Info.Path.TrimEnd('/') : request.Info.Path;
        var accept = request.Http.Request.Headers.Accept.ToString();
        var (document, type) = path switch
        {
            "/api" or "/apis" => Discover(path, accept),
            "/openapi/v2" => accept.Contains(V2ProtobufAsked, StringComparison.Ordinal) ? (openApi.V2Protobuf, OpenApi.V2ProtobufMediaType) : (openApi.V2Json, "application/json"),
            "/openapi/v3" => (openApi.V3Index, "application/json"),
            _ when path.StartsWith(V3Prefix, StringComparison.Ordinal) => (openApi.FindV3(path[V3Prefix.Length..]), "application/json"),
            _ => (discovery.Find(path), "application/json"),
        };
        if (document is null)
        {
            return false;
        }

        var isNamed = request.Query("hash") is { Length: > 0 } hash && string.Equals(hash, document.Hash, StringComparison.OrdinalIgnoreCase);
        await WriteAsync(request, document, type, isNamed);
        return true;
    }

    /// <summary>The form of discovery that the client asks for first.</summary>
    private (Document? Document, string Type) Discover(string path, string accept)
    {
        foreach (var clause in accept.Split(',', StringSplitOptions.TrimEntries))
        {
            var parameters = clause.Split(';', StringSplitOptions.TrimEntries);
            if (parameters[0] != "application/json" || !parameters.Contains("as=APIGroupDiscoveryList") || !parameters.Contains("g=apidiscovery.k8s.io"))
            {
                continue;
            }

            var version = parameters.FirstOrDefault(parameter => parameter.StartsWith("v=", StringComparison.Ordinal))?[2..] ?? "";
            if (discovery.FindAggregated(path == "/api", version) is { } document)
            {
                // Clients compare this type letter by letter; any other makes them ask for every group apart.
                return (document, $"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
            }
        }

        return (discovery.Find(path), "application/json");
    }

    private static async Task WriteAsync(ApiRequest request, Document document, string type, bool isNamed)
    {
        var response = request.Http.Response;
        if (request.Http.Request.Headers.IfNoneMatch.ToString().Contains(document.ETag, StringComparison.OrdinalIgnoreCase))
        {
            request.PrepareAnswer(StatusCodes.Status304NotModified, type);
            response.ContentType = null;
            Mark(response, document, isNamed);
            return;
        }

        await using var answer = Answer.Begin(request, 200, BodyFormat.Json, document.Bytes.Length);
        response.ContentType = type;
        Mark(response, document, isNamed);
        answer.Writer.Write(document.Bytes.Span);
        await answer.CompleteAsync(request.Stopping);
    }

    private static void Mark(HttpResponse response, Document document, bool isNamed)
    {
        response.Headers.ETag = document.ETag;
        response.Headers.Vary = "Accept, Accept-Encoding";
        response.Headers.CacheControl = isNamed ? "public, immutable, max-age=31536000" : "public, no-cache";
    }
}
