using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Machinery;
using Godwit.Api.Scheduling.V1;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Security;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Gives a new pod the number of the priority class that it names, or of the default one, and what that class says of preemption. What a pod says itself must be the same. Of several
/// default classes, which two servers may let in at one moment, the lowest counts.
/// </summary>
internal sealed class PriorityAdmission(IRevisionStore store, ServedResources resources)
{
    private readonly ServedResource? classes = resources.Find(PriorityClass.Type.Group, PriorityClass.Type.Version, PriorityClass.Type.Plural);

    /// <summary>Makes the classes that every cluster has.</summary>
    public static async Task EnsureAsync(ServedResources resources, ObjectWriter writer, CancellationToken stopping)
    {
        if (resources.Find(PriorityClass.Type.Group, PriorityClass.Type.Version, PriorityClass.Type.Plural) is not { } served)
        {
            return;
        }

        foreach (var wanted in SystemPriorities.Classes)
        {
            var write = new WriteContext { Resource = served, Namespace = "", Name = wanted.Metadata.Name, User = new User(User.ServerName, [User.MastersGroup]), Stopping = stopping };
            try
            {
                await writer.CreateAsync(write, GodwitJson.ToObject(wanted));
            }
            catch (StatusException error) when (error.Reason == "AlreadyExists")
            {
                // From an earlier start, or by another server.
            }
        }
    }

    /// <exception cref="StatusException">403: there is no such class, the pod says something else than it, or there is a default already.</exception>
    public async Task ApplyAsync(WriteContext write, JsonObject resource)
    {
        if (write.Resource == classes)
        {
            await CheckDefaultAsync(write, resource);
        }
        else if (write.Resource.Definition is { Group: "", Plural: "pods" } && resource.ObjectAt("spec") is { } spec)
        {
            await ResolveAsync(write, spec);
        }
    }

    /// <exception cref="StatusException">403: there is a default already.</exception>
    public async Task CheckDefaultAsync(WriteContext write, JsonObject resource)
    {
        if (write.Resource == classes && JsonAccess.AsBoolean(resource["globalDefault"]) == true
            && (await ListAsync(write.Stopping)).FirstOrDefault(other => other.GlobalDefault == true && other.Metadata.Name != write.Name) is { } other)
        {
            throw StatusException.Forbidden(write.Subject, $"PriorityClass {other.Metadata.Name} is already marked as default. Only one default can exist");
        }
    }

    private async Task ResolveAsync(WriteContext write, JsonObject spec)
    {
        var found = await FindAsync(write, spec.TextAt("priorityClassName") ?? "");
        if (found is not null)
        {
            spec["priorityClassName"] = found.Metadata.Name;
        }

        var (priority, policy) = (found?.Value ?? 0, found?.PreemptionPolicy ?? PreemptionPolicies.LowerPriority);
        if (JsonAccess.AsInt64(spec["priority"]) is { } given && given != priority)
        {
            throw StatusException.Forbidden(write.Subject, $"the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {priority} from the given PriorityClass name");
        }

        if (spec.TextAt("preemptionPolicy") is { Length: > 0 } said && said != policy)
        {
            throw StatusException.Forbidden(write.Subject, $"the string value of PreemptionPolicy ({said}) must not be provided in pod spec; priority admission controller computed {policy} from the given PriorityClass name");
        }

        spec["priority"] = priority;
        spec["preemptionPolicy"] = policy;
    }

    private async Task<PriorityClass?> FindAsync(WriteContext write, string name)
    {
        if (name.Length == 0)
        {
            return (await ListAsync(write.Stopping)).Where(each => each.GlobalDefault == true).MinBy(each => (each.Value, each.Metadata.Name));
        }

        // The rules have seen to it that it is a name.
        return classes is not null && await store.GetAsync(classes.Key("", name), write.Stopping) is { } item ? Read(item)
            : throw StatusException.Forbidden(write.Subject, $"no PriorityClass with name {name} was found");
    }

    private async Task<List<PriorityClass>> ListAsync(CancellationToken stopping) =>
        classes is null ? [] : [.. (await store.ListAsync(new StoreListQuery(classes.KeyPrefix), stopping)).Items.Select(Read)];

    private PriorityClass Read(StoreItem item) => GodwitJson.FromNode<PriorityClass>(classes!.Form.Decode(item.Value.Span, item.ModRevision));
}
