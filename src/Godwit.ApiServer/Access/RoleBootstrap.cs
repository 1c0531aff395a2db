using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Machinery;
using Godwit.Api.Rbac.V1;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Access;

/// <summary>
/// Makes the default roles and bindings at a start, and gives back what was taken from them: rules and subjects that are
/// missing are added, others are left. One that is annotated <c>rbac.authorization.kubernetes.io/autoupdate: "false"</c> is left as it is.
/// </summary>
internal static class RoleBootstrap
{
    public const string AutoUpdateAnnotation = "rbac.authorization.kubernetes.io/autoupdate";

    public static async Task EnsureAsync(ServedResources resources, ObjectWriter writer, CancellationToken stopping)
    {
        foreach (var role in DefaultRoles.ClusterRoles)
        {
            await EnsureAsync(resources, ClusterRole.Type, writer, GodwitJson.ToObject(role), "rules", stopping);
        }

        foreach (var binding in DefaultRoles.Bindings)
        {
            await EnsureAsync(resources, ClusterRoleBinding.Type, writer, GodwitJson.ToObject(binding), "subjects", stopping);
        }
    }

    private static async Task EnsureAsync(ServedResources resources, ResourceType type, ObjectWriter writer, JsonObject wanted, string list, CancellationToken stopping)
    {
        if (resources.Find(type.Group, type.Version, type.Plural) is not { } served)
        {
            return;
        }

        var write = new WriteContext { Resource = served, Namespace = "", Name = wanted.TextAt("metadata", "name")!, User = new User(User.ServerName, [User.MastersGroup]), Stopping = stopping };
        try
        {
            await writer.UpdateAsync(write, stored => Complete(stored, wanted, list));
        }
        catch (StatusException error) when (error.Reason == "NotFound")
        {
            try
            {
                await writer.CreateAsync(write, wanted);
            }
            catch (StatusException race) when (race.Reason == "AlreadyExists")
            {
                // Another server starts over the same store.
            }
        }
    }

    private static JsonObject Complete(JsonObject stored, JsonObject wanted, string list)
    {
        if (stored.TextAt("metadata", "annotations", AutoUpdateAnnotation) == "false")
        {
            return stored;
        }

        var there = stored.ArrayAt(list) ?? [];
        var missing = (wanted.ArrayAt(list) ?? []).Where(item => !there.Any(found => JsonNode.DeepEquals(found, item))).Select(item => item!.DeepClone()).ToList();
        if (missing.Count > 0)
        {
            stored[list] = new JsonArray([.. there.Select(item => item?.DeepClone()), .. missing]);
        }

        return stored;
    }
}
