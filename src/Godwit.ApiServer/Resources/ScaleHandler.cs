using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Selectors;
using Godwit.ApiServer.Requests;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// The scale subresource: the number of replicas of any kind that has one, in one shape (<c>autoscaling/v1</c> Scale), so
/// that a client need not know the kind. Reading and writing go through the paths of the kind's <see cref="ScalePaths"/>.
/// </summary>
internal sealed class ScaleHandler(IRevisionStore store, ObjectWriter writer)
{
    public async Task HandleAsync(ApiRequest request, ServedResource resource, ScalePaths paths)
    {
        var scale = request.Info.Verb switch
        {
            "get" => await ReadAsync(request, resource, paths),
            "update" => await WriteAsync(request, resource, paths, await ReplacementAsync(request)),
            "patch" => await WriteAsync(request, resource, paths, await PatchAsync(request)),
            _ => throw StatusException.MethodNotAllowed(request.Http.Request.Method),
        };
        var accepted = Negotiation.Choose(request.Http.Request.Headers.Accept.ToString());
        await Answer.WriteAsync(request, 200, accepted.Format, output =>
        {
            using var json = new System.Text.Json.Utf8JsonWriter(output, StoredForm.WriterOptions);
            scale.WriteTo(json);
        });
    }

    private static async Task<Func<JsonObject, JsonObject>> ReplacementAsync(ApiRequest request)
    {
        var body = (await BodyReader.ReadObjectAsync(request, BuiltInKinds.Scale.Type, BuiltInKinds.Scale.Schema)).Value;
        return _ => body.DeepClone().AsObject();
    }

    private static async Task<Func<JsonObject, JsonObject>> PatchAsync(ApiRequest request)
    {
        var patch = await PatchBody.ReadAsync(request, BuiltInKinds.Scale.Schema);
        return scale => patch.Apply(scale, request.Info.Subject);
    }

    private async Task<JsonObject> ReadAsync(ApiRequest request, ServedResource resource, ScalePaths paths)
    {
        var item = await store.GetAsync(resource.Key(request.Info.Namespace, request.Info.Name), request.Stopping) ?? throw StatusException.NotFound(request.Info.Subject);
        return ScaleOf(resource.Form.Decode(item.Value.Span, item.ModRevision), paths);
    }

    private async Task<JsonObject> WriteAsync(ApiRequest request, ServedResource resource, ScalePaths paths, Func<JsonObject, JsonObject> change)
    {
        var stored = await writer.UpdateAsync(WriteContext.Of(request, resource), found =>
        {
            var scale = change(ScaleOf(found, paths));
            FieldErrors.ThrowIfAny(SchemaCheck.Run(BuiltInKinds.Scale.Schema, scale).Errors, request.Info.Subject);
            var replicas = JsonAccess.AsInt64(scale["spec"]?["replicas"]) ?? 0;
            FieldErrors.ThrowIfAny(
                replicas < 0 ? [FieldError.Invalid("spec.replicas", replicas, "must be 0 or more")] : [],
                request.Info.Subject);
            Meta.Of(found).ResourceVersion = Meta.Of(scale).ResourceVersion;
            Set(found, paths.SpecReplicas, replicas);
            return found;
        });
        return ScaleOf(resource.Form.Decode(stored.Value.Span, stored.Revision), paths);
    }

    private static JsonObject ScaleOf(JsonObject resource, ScalePaths paths)
    {
        var meta = new JsonObject();
        foreach (var name in new[] { "name", "namespace", "uid", "resourceVersion", "creationTimestamp" })
        {
            if (resource["metadata"]![name] is { } value)
            {
                meta[name] = value.DeepClone();
            }
        }

        var status = new JsonObject { ["replicas"] = JsonAccess.AsInt64(At(resource, paths.StatusReplicas)) ?? 0 };
        if (paths.StatusSelector is { } path && SelectorOf(At(resource, path)) is { Length: > 0 } selector)
        {
            status["selector"] = selector;
        }

        return new JsonObject
        {
            ["kind"] = BuiltInKinds.Scale.Type.Kind,
            ["apiVersion"] = BuiltInKinds.Scale.Type.ApiVersion,
            ["metadata"] = meta,
            ["spec"] = new JsonObject { ["replicas"] = JsonAccess.AsInt64(At(resource, paths.SpecReplicas)) ?? 0 },
            ["status"] = status,
        };
    }

    /// <summary>As the text of a query, whether the kind holds it so, as a selector or as plain labels.</summary>
    private static string? SelectorOf(JsonNode? held) => held is JsonObject selector ? LabelSelector.FromJson(selector).ToString() : JsonAccess.AsText(held);

    private static JsonNode? At(JsonNode resource, string path) => path.Split('.').Aggregate((JsonNode?)resource, (node, name) => (node as JsonObject)?[name]);

    private static void Set(JsonObject resource, string path, long value)
    {
        var names = path.Split('.');
        var parent = resource;
        foreach (var name in names.AsSpan(0, names.Length - 1))
        {
            if (parent[name] is not JsonObject inner)
            {
                parent[name] = inner = [];
            }

            parent = inner;
        }

        parent[names[^1]] = value;
    }
}
