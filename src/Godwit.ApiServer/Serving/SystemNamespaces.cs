using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Serving;

/// <summary>The namespaces that every cluster has.</summary>
internal static class SystemNamespaces
{
    private static readonly string[] Names = [NamespaceNames.Default, NamespaceNames.KubeSystem, NamespaceNames.KubePublic, NamespaceNames.KubeNodeLease];

    public static async Task EnsureAsync(ServedResources resources, ObjectWriter writer, CancellationToken stopping)
    {
        if (resources.Find("", "v1", "namespaces") is not { } namespaces)
        {
            return;
        }

        foreach (var name in Names)
        {
            var write = new WriteContext { Resource = namespaces, Namespace = "", Name = name, User = new User(User.ServerName, [User.MastersGroup]), Stopping = stopping };
            try
            {
                await writer.CreateAsync(write, new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } });
            }
            catch (StatusException error) when (error.Reason == "AlreadyExists")
            {
                // As it should be: this is not the first start.
            }
        }
    }
}
