using System.Text.Json.Nodes;
using Godwit.ApiServer.Requests;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>Whether a write that is well formed and allowed to its user may also happen now.</summary>
internal sealed class Admission(IRevisionStore store, ServedResources resources)
{
    private readonly ServedResource? namespaces = resources.Find("", "v1", "namespaces");

    public async Task CheckCreateAsync(WriteContext write, JsonObject resource)
    {
        if (write.Resource.Definition.Namespaced)
        {
            await CheckNamespaceAsync(write);
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
        // A namespace that is being deleted takes nothing new, or it would never become empty.
        if (Meta.Of(namespaces.Form.Decode(item.Value.Span, item.ModRevision)).IsDeleting)
        {
            var why = $"namespace {write.Namespace} is being terminated";
            throw StatusException.Forbidden(write.Subject, $"unable to create new content in namespace {write.Namespace} because it is being terminated",
                new StatusCause("NamespaceTerminating", why, "metadata.namespace"));
        }
    }
}
