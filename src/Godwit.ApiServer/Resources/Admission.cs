using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Certificates.V1;
using Godwit.Api.Core.V1;
using Godwit.ApiServer.Access;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Security;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>Whether a write that is well formed and allowed to its user may also happen now, and what the server adds to it.</summary>
internal sealed class Admission(IRevisionStore store, ServedResources resources, NodeSigner signer, EscalationGuard escalation, (QuotaGate Quotas, ServiceGate Services) gates, TimeProvider clock)
{
    private static readonly string[] Undeletable = [NamespaceNames.Default, NamespaceNames.KubeSystem, NamespaceNames.KubePublic, NamespaceNames.KubeNodeLease];

    private readonly LimitAdmission limits = new(store, resources);
    private readonly AccountAdmission accounts = new(store, resources);
    private readonly PriorityAdmission priorities = new(store, resources);
    private readonly StorageAdmission storage = new(store, resources);
    private readonly ServedResource? namespaces = resources.Find("", "v1", "namespaces");
    private readonly ServedResource? nodes = resources.Find("", "v1", "nodes");
    private readonly ServedResource? guests = resources.Find(GroupName.KubeVirt, "v1", "virtualmachineinstances");

    // Namespaces are read at every create and seldom change: the last answer holds as long as the version does.
    private volatile NamespaceAnswer lastNamespace = new("", 0, false);

    public async Task CheckCreateAsync(WriteContext write, JsonObject resource)
    {
        if (write.Resource.Definition.Namespaced)
        {
            await CheckNamespaceAsync(write);
        }

        if (write.User.NodeName is { } node)
        {
            await NodeRestriction.CheckAsync(node, write, resource, (ns, name) => FindGuestAsync(ns, name, write.Stopping));
        }

        await escalation.CheckAsync(write, resource, existing: null);
        await accounts.ApplyAsync(write, resource);
        await priorities.ApplyAsync(write, resource);
        await limits.ApplyAsync(write, resource);
        await storage.ApplyAsync(write, resource);
        if (write.Resource.Definition is { Group: "certificates.k8s.io", Plural: "certificatesigningrequests" })
        {
            await SignAsync(write, resource);
        }
    }

    /// <summary>Makes room for a checked object in its namespace's quotas, and among the services' addresses, which is kept until the result is disposed of: after the object is stored.</summary>
    /// <exception cref="StatusException">403 or 422: there is none.</exception>
    public async Task<WriteRoom> MakeRoomAsync(WriteContext write, JsonObject resource)
    {
        var room = await gates.Quotas.EnterAsync(write, resource);
        try
        {
            return await gates.Services.EnterAsync(write, resource, existing: null, room);
        }
        catch
        {
            await room.DisposeAsync();
            throw;
        }
    }

    /// <summary>The same for a change.</summary>
    public Task<WriteRoom> MakeRoomForChangeAsync(WriteContext write, JsonObject updated, JsonObject existing) => gates.Services.EnterAsync(write, updated, existing, new WriteRoom(write.Stopping));

    public async Task CheckUpdateAsync(WriteContext write, JsonObject updated, JsonObject existing)
    {
        if (write.User.NodeName is { } node)
        {
            NodeRestriction.CheckChange(write, updated, existing);
            await NodeRestriction.CheckAsync(node, write, existing, (ns, name) => FindGuestAsync(ns, name, write.Stopping));
        }

        await escalation.CheckAsync(write, updated, existing);
        await priorities.CheckDefaultAsync(write, updated);
        await storage.CheckUpdateAsync(write, updated, existing);
    }

    public static void CheckDelete(WriteContext write)
    {
        if (Finalizers.IsNamespace(write.Resource.Definition) && Undeletable.Contains(write.Name))
        {
            throw StatusException.Forbidden(write.Subject, "this namespace may not be deleted");
        }
    }

    private async Task CheckNamespaceAsync(WriteContext write)
    {
        if (namespaces is null)
        {
            return;
        }

        var item = await store.GetAsync(namespaces.Key("", write.Namespace), write.Stopping)
            ?? throw StatusException.NotFound(new StatusSubject("", "namespaces", write.Namespace));
        var answer = lastNamespace;
        if (answer.Name != write.Namespace || answer.Revision != item.ModRevision)
        {
            answer = new NamespaceAnswer(write.Namespace, item.ModRevision, Meta.Of(namespaces.Form.Decode(item.Value.Span, item.ModRevision)).IsDeleting);
            lastNamespace = answer;
        }

        // A namespace that is being deleted takes nothing new, or it would never become empty.
        if (answer.IsDeleting)
        {
            throw StatusException.Forbidden(write.Subject, $"unable to create new content in namespace {write.Namespace} because it is being terminated",
                new StatusCause("NamespaceTerminating", $"namespace {write.Namespace} is being terminated", "metadata.namespace"));
        }
    }

    private async Task<JsonObject?> FindGuestAsync(string ns, string name, CancellationToken stopping) =>
        guests is not null && name.Length > 0 && await store.GetAsync(guests.Key(ns, name), stopping) is { } item
            ? guests.Form.Decode(item.Value.Span, item.ModRevision)
            : null;

    private async Task<DateTimeOffset?> NodeSinceAsync(string name, CancellationToken stopping) =>
        nodes is not null && await store.GetAsync(nodes.Key("", name), stopping) is { } item
            ? GodwitJson.FromNode<Node>(nodes.Form.Decode(item.Value.Span, item.ModRevision)).Metadata.CreationTimestamp ?? DateTimeOffset.MaxValue
            : null;

    /// <summary>Records who asks, as only the server can know, and answers with the certificate in the status.</summary>
    private async Task SignAsync(WriteContext write, JsonObject resource)
    {
        var asked = GodwitJson.FromNode<CertificateSigningRequest>(resource);
        var spec = asked.Spec with { Username = write.User.Name, Uid = write.User.Uid, Groups = write.User.Groups };
        var checkedRequest = signer.Read(spec, write.Subject);
        NodeSigner.CheckUser(write.User, checkedRequest.NodeName, await NodeSinceAsync(checkedRequest.NodeName, write.Stopping), write.Subject);
        var now = clock.GetUtcNow();
        var status = new CertificateSigningRequestStatus
        {
            Certificate = System.Text.Encoding.ASCII.GetBytes(signer.Sign(checkedRequest)),
            Conditions =
            [
                new CertificateSigningRequestCondition { Type = "Approved", Status = "True", Reason = "NodeJoin", Message = "The request meets the rules of the node signer.", LastUpdateTime = now, LastTransitionTime = now },
            ],
        };
        var signed = GodwitJson.ToObject(asked with { Spec = spec, Status = status });
        resource["spec"] = signed["spec"]?.DeepClone();
        resource["status"] = signed["status"]?.DeepClone();
    }

    private sealed record NamespaceAnswer(string Name, long Revision, bool IsDeleting);
}
