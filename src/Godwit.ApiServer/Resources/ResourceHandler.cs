using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Watching;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>Carries out a request for objects of a kind: one method a verb.</summary>
internal sealed class ResourceHandler(IRevisionStore store, ListHandler lists, WatchHandler watches, ObjectWriter writer)
{
    public Task HandleAsync(ApiRequest request, ServedResource resource)
    {
        CheckShape(request.Info, resource);
        return request.Info.Verb switch
        {
            "get" when request.QueryFlag("watch") => watches.HandleAsync(request, resource),
            "get" => GetAsync(request, resource),
            "list" => lists.HandleAsync(request, resource),
            "watch" => watches.HandleAsync(request, resource),
            "create" => CreateAsync(request, resource),
            "update" => UpdateAsync(request, resource),
            "patch" => PatchAsync(request, resource),
            "delete" => DeleteAsync(request, resource),
            _ => throw StatusException.MethodNotAllowed(request.Http.Request.Method),
        };
    }

    private static void CheckShape(RequestInfo info, ServedResource resource)
    {
        var known = info.Subresource switch
        {
            "" => true,
            "status" => resource.Definition.HasStatus && info.Verb is "get" or "update" or "patch",
            _ => false,
        };
        if (!known || (info.Namespace.Length > 0 && !resource.Definition.Namespaced))
        {
            throw StatusException.UnknownPath();
        }

        var needsNamespace = resource.Definition.Namespaced && info.Namespace.Length == 0 && (info.Verb is not ("list" or "watch"));
        if (needsNamespace || (info.Verb == "create" && info.Name.Length > 0))
        {
            throw StatusException.MethodNotAllowed(info.Verb);
        }
    }

    private async Task GetAsync(ApiRequest request, ServedResource resource)
    {
        var item = await store.GetAsync(resource.Key(request.Info.Namespace, request.Info.Name), request.Stopping)
            ?? throw StatusException.NotFound(request.Info.Subject);
        await AnswerAsync(request, 200, resource.Object(item));
    }

    private async Task CreateAsync(ApiRequest request, ServedResource resource)
    {
        var body = await BodyReader.ReadObjectAsync(request);
        FieldValidation.Check(request, resource, body);
        await AnswerAsync(request, 201, await writer.CreateAsync(WriteContext.Of(request, resource), body.Value));
    }

    private async Task UpdateAsync(ApiRequest request, ServedResource resource)
    {
        var body = await BodyReader.ReadObjectAsync(request);
        FieldValidation.Check(request, resource, body);
        await AnswerAsync(request, 200, await writer.UpdateAsync(WriteContext.Of(request, resource), _ => body.Value.DeepClone().AsObject()));
    }

    private async Task PatchAsync(ApiRequest request, ServedResource resource)
    {
        var patch = await PatchBody.ReadAsync(request, resource);
        await AnswerAsync(request, 200, await writer.UpdateAsync(WriteContext.Of(request, resource), patch.Apply));
    }

    private async Task DeleteAsync(ApiRequest request, ServedResource resource)
    {
        var options = await DeleteBody.ReadAsync(request);
        var result = await writer.DeleteAsync(WriteContext.Of(request, resource), options);
        if (!result.Gone)
        {
            await AnswerAsync(request, 200, result.Object);
            return;
        }

        await Answer.WriteAsync(request, 200, BodyFormat.Json, output =>
        {
            using var json = new Utf8JsonWriter(output);
            var details = request.Info.Subject.ToDetails() with { Uid = result.Uid };
            json.WriteStartObject();
            json.WriteString("kind"u8, "Status"u8);
            json.WriteString("apiVersion"u8, "v1"u8);
            json.WriteStartObject("metadata"u8);
            json.WriteEndObject();
            json.WriteString("status"u8, "Success"u8);
            json.WritePropertyName("details"u8);
            details.WriteTo(json);
            json.WriteEndObject();
        });
    }

    private static Task AnswerAsync(ApiRequest request, int code, StoredObject item)
    {
        var accepted = Negotiation.Choose(request.Http.Request.Headers.Accept.ToString());
        var view = ObjectViews.For(accepted.View, item.Resource, request);
        return Answer.WriteAsync(request, code, accepted.Format, output => view.WriteObject(output, item));
    }
}

/// <summary>What is done about fields that the kind does not have, and about fields given twice.</summary>
internal static class FieldValidation
{
    public static void Check(ApiRequest request, ServedResource resource, JsonBody body)
    {
        var mode = request.Query("fieldValidation");
        if (mode is not ("" or "Ignore" or "Warn" or "Strict"))
        {
            throw StatusException.BadRequest($"fieldValidation={mode} is not one of Ignore, Warn, Strict");
        }

        if (body.DuplicateFields.Count == 0 || mode == "Ignore")
        {
            return;
        }

        var complaints = body.DuplicateFields.Select(path => $"duplicate field \"{path}\"").ToList();
        if (mode == "Strict")
        {
            throw StatusException.BadRequest($"{resource.Definition.Kind} in version \"{resource.Definition.Version}\" cannot be handled as a {resource.Definition.Kind}: strict decoding error: {string.Join(", ", complaints)}");
        }

        complaints.ForEach(request.Warn);
    }
}
