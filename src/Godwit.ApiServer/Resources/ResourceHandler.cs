using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.ApiServer.Access;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Watching;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>Carries out a request for objects of a kind: one method a verb.</summary>
internal sealed class ResourceHandler(IRevisionStore store, ObjectViews views, ListHandler lists, WatchHandler watches, ObjectWriter writer, Authorizer authorizer)
{
    private readonly ScaleHandler scales = new(store, writer);

    /// <summary>Told of a namespace before the client is that made it, so that what it makes there next finds what every namespace has.</summary>
    public Func<string, CancellationToken, Task> NamespaceMade { get; init; } = (_, _) => Task.CompletedTask;

    public Task HandleAsync(ApiRequest request, ServedResource resource)
    {
        CheckShape(request.Info, resource);
        if (request.Info.Subresource == "scale")
        {
            return scales.HandleAsync(request, resource, resource.Definition.Scale!);
        }

        return request.Info.Verb switch
        {
            "get" => GetAsync(request, resource),
            "list" => lists.HandleAsync(request, resource),
            "watch" => watches.HandleAsync(request, resource),
            "create" => CreateAsync(request, resource),
            "update" => UpdateAsync(request, resource),
            "patch" => PatchAsync(request, resource),
            "delete" => DeleteAsync(request, resource),
            "deletecollection" => DeleteCollectionAsync(request, resource),
            _ => throw StatusException.MethodNotAllowed(request.Http.Request.Method),
        };
    }

    private static void CheckShape(RequestInfo info, ServedResource resource)
    {
        var known = info.Subresource switch
        {
            "" => true,
            "status" => resource.Definition.HasStatus && info.Verb is "get" or "update" or "patch",
            "scale" => resource.Definition.Scale is not null && info.Verb is "get" or "update" or "patch",
            "ephemeralcontainers" => resource.Definition is { Group: "", Plural: "pods" } && info.Verb is "get" or "update" or "patch",
            "finalize" => Finalizers.IsNamespace(resource.Definition) && info.Verb == "update",
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
        var write = WriteContext.Of(request, resource);
        var body = await ReadBodyAsync(request, write);
        var made = await writer.CreateAsync(write, body);
        await TellOfNamespaceAsync(write, made);
        await AnswerAsync(request, 201, made);
    }

    private async Task UpdateAsync(ApiRequest request, ServedResource resource)
    {
        var write = WriteContext.Of(request, resource);
        var body = await ReadBodyAsync(request, write);
        await AnswerAsync(request, 200, await writer.UpdateAsync(write, _ => body.DeepClone().AsObject()));
    }

    private static async Task<JsonObject> ReadBodyAsync(ApiRequest request, WriteContext write)
    {
        var definition = write.Resource.Definition;
        var body = await BodyReader.ReadObjectAsync(request, new ResourceType(definition.Group, definition.Version, definition.Kind, definition.Plural, definition.Namespaced), definition.Schema);
        FieldValidations.Complain(write, body.DuplicateFields, "duplicate");
        return body.Value;
    }

    private async Task PatchAsync(ApiRequest request, ServedResource resource)
    {
        var write = WriteContext.Of(request, resource);
        if (BodyReader.MediaType(request.Http) == PatchBody.ApplyType)
        {
            await ApplyAsync(request, write);
            return;
        }

        FieldManagers.CheckNoForce(request);
        var patch = await PatchBody.ReadAsync(request, resource.Definition.Schema);
        FieldValidations.Complain(write, patch.DuplicateFields, "duplicate");
        await AnswerAsync(request, 200, await writer.UpdateAsync(write, found => patch.Apply(found, write.Subject)));
    }

    private async Task ApplyAsync(ApiRequest request, WriteContext write)
    {
        var force = FieldManagers.ForceOf(request);
        var config = await PatchBody.ReadConfigurationAsync(request);
        FieldValidations.Complain(write, config.DuplicateFields, "duplicate");
        var apply = new ApplyRequest(config.Value, force, () => authorizer.CheckAsync(request.User, request.Info with { Verb = "create" }, request.Stopping));
        var (stored, created) = await writer.ApplyAsync(write, apply);
        if (created)
        {
            await TellOfNamespaceAsync(write, stored);
        }

        await AnswerAsync(request, created ? 201 : 200, stored);
    }

    private Task TellOfNamespaceAsync(WriteContext write, StoredObject made) =>
        write.DryRun || !Finalizers.IsNamespace(write.Resource.Definition) ? Task.CompletedTask : NamespaceMade(made.Name.ToString(), write.Stopping);

    private async Task DeleteAsync(ApiRequest request, ServedResource resource)
    {
        var options = await DeleteBody.ReadAsync(request);
        var result = await writer.DeleteAsync(WriteContext.Of(request, resource), options);
        if (!result.Gone)
        {
            await AnswerAsync(request, 200, result.Object);
            return;
        }

        await AnswerSuccessAsync(request, 200, request.Info.Subject.ToDetails() with { Uid = result.Uid });
    }

    /// <summary>Deletes what a selection matches, one after another; what is held by finalizers is marked.</summary>
    private async Task DeleteCollectionAsync(ApiRequest request, ServedResource resource)
    {
        var options = await DeleteBody.ReadAsync(request);
        var selection = ListOptions.Read(request);
        var filter = ObjectFilter.Read(resource, request.Info, selection);
        await foreach (var page in lists.ReadAllAsync(filter, default, request.Stopping))
        {
            foreach (var item in page.Items)
            {
                var write = WriteContext.Of(request, resource) with { Namespace = item.Namespace.ToString(), Name = item.Name.ToString() };
                await writer.TryDeleteAsync(write, options);
            }
        }

        await AnswerSuccessAsync(request, 200, request.Info.Subject.ToDetails());
    }

    /// <summary>Answers that it is done, without an object.</summary>
    public static Task AnswerSuccessAsync(ApiRequest request, int code, StatusDetails details) =>
        Answer.WriteAsync(request, code, BodyFormat.Json, output =>
        {
            using var json = new Utf8JsonWriter(output);
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

    private Task AnswerAsync(ApiRequest request, int code, StoredObject item)
    {
        var accepted = Negotiation.Choose(request.Http.Request.Headers.Accept.ToString());
        var view = views.For(accepted.View, item.Resource, request);
        return Answer.WriteAsync(request, code, accepted.Format, output => view.WriteObject(output, item));
    }
}
