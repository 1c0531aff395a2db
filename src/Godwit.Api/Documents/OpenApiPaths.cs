using System.Text.Json.Nodes;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.Api.Documents;

/// <summary>
/// The paths of a group and version, with each operation marked by the kind it is about and what it does: this is where
/// <c>kubectl</c> learns that a kind can be dry-run and validated by the server.
/// </summary>
internal sealed class OpenApiPaths(OpenApiSchemas schemas, bool isV3)
{
    private static readonly (string Name, string Type, string Description)[] ListParameters =
    [
        ("labelSelector", "string", "Only objects with these labels."),
        ("fieldSelector", "string", "Only objects with these fields."),
        ("limit", "integer", "At most so many objects; the answer says how to go on."),
        ("continue", "string", "Goes on where an earlier answer stopped."),
        ("resourceVersion", "string", "Which state is to be shown."),
        ("resourceVersionMatch", "string", "Whether it must be just that state."),
        ("timeoutSeconds", "integer", "How long a watch lasts at most."),
        ("watch", "boolean", "Go on with every change."),
        ("allowWatchBookmarks", "boolean", "Say now and then how far the watch has seen."),
        ("sendInitialEvents", "boolean", "Begin a watch with the objects that there are."),
    ];

    private static readonly (string Name, string Type, string Description)[] WriteParameters =
    [
        ("dryRun", "string", "All: check everything, change nothing."),
        ("fieldManager", "string", "Who writes."),
        ("fieldValidation", "string", "What to do about unknown and repeated fields: Ignore, Warn or Strict."),
    ];

    private static readonly (string Name, string Type, string Description)[] DeleteParameters =
    [
        ("dryRun", "string", "All: check everything, change nothing."),
        ("gracePeriodSeconds", "integer", "Seconds that the object may take to go."),
        ("propagationPolicy", "string", "What happens to the objects that this one owns."),
    ];

    private static readonly string[] PatchTypes = ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml"];

    private readonly JsonObject paths = [];

    public JsonObject Build(ApiSurface surface, GroupVersion version)
    {
        foreach (var resource in surface.Resources.Where(resource => resource.Group == version.Group && resource.Version == version.Version))
        {
            AddResource(resource, version);
        }

        foreach (var question in surface.Questions.Where(question => question.Type.Group == version.Group && question.Type.Version == version.Version))
        {
            var kind = OpenApiSchemas.TypeOf(version.Group, version.Version, question.Type.Kind);
            var item = schemas.AddType(question.Schema, version.Group, version.Version, question.Type.Kind);
            paths[$"/{version.Path}/{question.Type.Plural}"] = new JsonObject
            {
                ["post"] = Operation("post", $"create{question.Type.Kind}", kind, item, WriteParameters, item),
            };
        }

        return paths;
    }

    private void AddResource(ResourceDefinition resource, GroupVersion version)
    {
        var kind = OpenApiSchemas.TypeOf(version.Group, version.Version, resource.Kind);
        var (item, list) = schemas.AddKind(resource.Schema, version.Group, version.Version, resource.Kind);
        var root = $"/{version.Path}";
        var collection = resource.Namespaced ? $"{root}/namespaces/{{namespace}}/{resource.Plural}" : $"{root}/{resource.Plural}";
        var scope = resource.Namespaced ? new[] { "namespace" } : [];
        var (lists, reads) = (Operation("list", $"list{resource.Kind}", kind, list, ListParameters), Operation("get", $"read{resource.Kind}", kind, item, []));
        if (resource.IsMeasured)
        {
            paths[collection] = Path(scope, ("get", lists));
            paths[$"{collection}/{{name}}"] = Path([.. scope, "name"], ("get", reads));
        }
        else
        {
            var options = schemas.AddType(BuiltInKinds.DeleteOptions, "", "v1", "DeleteOptions");
            paths[collection] = Path(scope,
                ("get", lists),
                ("post", Operation("post", $"create{resource.Kind}", kind, item, WriteParameters, item)),
                ("delete", Operation("deletecollection", $"deleteCollection{resource.Kind}", kind, list, [.. ListParameters, .. DeleteParameters], options)));
            paths[$"{collection}/{{name}}"] = Path([.. scope, "name"],
                ("get", reads),
                ("put", Operation("put", $"replace{resource.Kind}", kind, item, WriteParameters, item)),
                ("patch", Patch($"patch{resource.Kind}", kind, item)),
                ("delete", Operation("delete", $"delete{resource.Kind}", kind, item, DeleteParameters, options)));
        }

        if (resource.Namespaced)
        {
            paths[$"{root}/{resource.Plural}"] = Path([],
                ("get", Operation("list", $"list{resource.Kind}ForAllNamespaces", kind, list, ListParameters)));
        }

        if (resource.HasStatus)
        {
            AddSubresource($"{collection}/{{name}}/status", scope, resource.Kind + "Status", kind, item);
        }

        if (resource.Scale is not null)
        {
            var scale = schemas.AddType(BuiltInKinds.Scale.Schema, "autoscaling", "v1", "Scale");
            AddSubresource($"{collection}/{{name}}/scale", scope, resource.Kind + "Scale", OpenApiSchemas.TypeOf("autoscaling", "v1", "Scale"), scale);
        }
    }

    private void AddSubresource(string path, string[] scope, string name, JsonObject kind, JsonObject item) => paths[path] = Path(
        [.. scope, "name"],
        ("get", Operation("get", $"read{name}", kind, item, [])),
        ("put", Operation("put", $"replace{name}", kind, item, WriteParameters, item)),
        ("patch", Patch($"patch{name}", kind, item)));

    private JsonObject Path(string[] placeholders, params (string Method, JsonObject Operation)[] operations)
    {
        var path = new JsonObject(operations.Select(operation => KeyValuePair.Create(operation.Method, (JsonNode?)operation.Operation)));
        if (placeholders.Length > 0)
        {
            path["parameters"] = placeholders.Select(name => Parameter("path", (name, "string", $"The object's {name}."), isRequired: true)).ToJson();
        }

        return path;
    }

    private JsonObject Operation(string action, string id, JsonObject kind, JsonObject answer, (string, string, string)[] parameters, JsonObject? body = null)
    {
        var operation = new JsonObject { ["operationId"] = id };
        var written = parameters.Select(parameter => Parameter("query", parameter, isRequired: false)).ToJson();
        if (body is not null)
        {
            AddBody(operation, written, ["application/json"], body.DeepClone().AsObject());
        }

        operation["parameters"] = written;
        operation["responses"] = new JsonObject { ["200"] = Response(answer) };
        if (!isV3)
        {
            operation["produces"] = new JsonArray("application/json");
        }

        operation["x-kubernetes-action"] = action;
        operation[OpenApiSchemas.TypeExtension] = kind.DeepClone();
        return operation;
    }

    private JsonObject Patch(string id, JsonObject kind, JsonObject item)
    {
        var operation = Operation("patch", id, kind, item, WriteParameters);
        AddBody(operation, operation["parameters"]!.AsArray(), PatchTypes, new JsonObject { ["type"] = "object" });
        return operation;
    }

    private void AddBody(JsonObject operation, JsonArray parameters, string[] types, JsonObject schema)
    {
        if (isV3)
        {
            operation["requestBody"] = new JsonObject { ["content"] = Content(types, schema) };
            return;
        }

        operation["consumes"] = types.ToJson();
        parameters.Add((JsonNode)new JsonObject { ["name"] = "body", ["in"] = "body", ["required"] = true, ["schema"] = schema });
    }

    private JsonObject Response(JsonObject answer) => isV3
        ? new JsonObject { ["description"] = "OK", ["content"] = Content(["application/json"], answer.DeepClone().AsObject()) }
        : new JsonObject { ["description"] = "OK", ["schema"] = answer.DeepClone() };

    private static JsonObject Content(string[] types, JsonObject schema) =>
        new(types.Select(type => KeyValuePair.Create(type, (JsonNode?)new JsonObject { ["schema"] = schema.DeepClone() })));

    private JsonObject Parameter(string place, (string Name, string Type, string Description) parameter, bool isRequired)
    {
        var written = new JsonObject { ["name"] = parameter.Name, ["in"] = place, ["description"] = parameter.Description };
        if (isRequired)
        {
            written["required"] = true;
        }

        if (isV3)
        {
            written["schema"] = new JsonObject { ["type"] = parameter.Type };
        }
        else
        {
            written["type"] = parameter.Type;
        }

        return written;
    }
}
