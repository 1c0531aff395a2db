using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.Meta.V1;
using Godwit.ApiServer.Requests;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Creates, changes and deletes objects by Kubernetes' rules, for every kind alike.
/// <para>
/// Every change is one loop: read, decide, compare-and-swap; when somebody else was faster, read again. A client that
/// named the version it saw (<c>metadata.resourceVersion</c>) is told of the conflict instead. An object that is being
/// deleted lives on while finalizers hold it; the write that takes the last one away removes it.
/// </para>
/// </summary>
internal sealed class ObjectWriter(IRevisionStore store, Admission admission, TimeProvider clock, DrawnIdentity? drawn = null)
{
    private readonly DrawnIdentity identity = drawn ?? new DrawnIdentity();

    /// <summary>The time that is written into objects.</summary>
    public DateTimeOffset Now => clock.GetUtcNow();

    /// <summary>Rounds of a change before a writer that always loses is told so.</summary>
    private const int AttemptsMax = 16;

    private const int GeneratedNameAttemptsMax = 8;

    /// <summary>Writes a new object.</summary>
    public Task<StoredObject> CreateAsync(WriteContext write, JsonObject resource) =>
        CreateAsync(write, resource, (made, named) => FieldManagers.Track(existing: null, made, named, clock.GetUtcNow()));

    private async Task<StoredObject> CreateAsync(WriteContext write, JsonObject resource, Action<JsonObject, WriteContext> manage)
    {
        var definition = write.Resource.Definition;
        ObjectRules.CheckIdentity(resource, write);
        var meta = Meta.Of(resource);
        ObjectRules.CheckSchema(resource, write with { Name = meta.Name });
        if (meta.ResourceVersion.Length > 0)
        {
            throw StatusException.BadRequest("resourceVersion should not be set on objects to be created");
        }

        definition.Strategy.PrepareForCreate(resource);
        ObjectRules.SetCreated(resource, write, clock.GetUtcNow(), identity.NewUid());
        var prefix = meta.Name.Length == 0 ? meta.GenerateName : "";
        for (var attempt = 1; ; attempt++)
        {
            if (prefix.Length > 0)
            {
                meta.Name = prefix + identity.NewSuffix();
            }

            var named = write with { Name = meta.Name };
            definition.Strategy.ApplyDefaults(resource);
            ObjectRules.Validate(resource, existing: null, named);
            await admission.CheckCreateAsync(named, resource);
            manage(resource, named);
            var value = write.Resource.Form.Encode(resource);
            await using var room = await admission.MakeRoomAsync(named, resource);
            if (write.DryRun)
            {
                return await store.GetAsync(named.Key, write.Stopping) is null
                    ? new StoredObject(write.Resource, named.Key, value, 0)
                    : throw StatusException.AlreadyExists(named.Subject);
            }

            var done = await StoreAsync(named, room, stopping => store.CreateAsync(named.Key, value, stopping));
            if (done.Succeeded)
            {
                return new StoredObject(write.Resource, named.Key, value, done.Revision);
            }

            if (prefix.Length == 0 || attempt == GeneratedNameAttemptsMax)
            {
                throw StatusException.AlreadyExists(named.Subject);
            }
        }
    }

    private static async ValueTask<StoreWrite> StoreAsync(WriteContext write, WriteRoom room, Func<CancellationToken, ValueTask<StoreWrite>> put)
    {
        try
        {
            return await put(room.Stopping);
        }
        catch (OperationCanceledException error) when (room.IsOver)
        {
            throw StatusException.ServiceUnavailable($"the store did not take {write.Subject} while it was its turn; it may have been written: look before you try again", error);
        }
    }

    /// <summary>
    /// Changes an object. <paramref name="change"/> gets a copy of what is there, with its version, and answers what is to
    /// be there; it is called again when another writer came between.
    /// </summary>
    /// <returns>What is stored now, also when the change changed nothing.</returns>
    public async Task<StoredObject> UpdateAsync(WriteContext write, Func<JsonObject, JsonObject> change)
    {
        for (var attempt = 1; attempt <= AttemptsMax; attempt++)
        {
            var item = await store.GetAsync(write.Key, write.Stopping) ?? throw StatusException.NotFound(write.Subject);
            var existing = write.Resource.Form.Decode(item.Value.Span, item.ModRevision);
            var updated = Settle(write, existing, change(existing.DeepClone().AsObject()));
            FieldManagers.Track(existing, updated, write, clock.GetUtcNow());
            await admission.CheckUpdateAsync(write, updated, existing);
            await using var room = await admission.MakeRoomForChangeAsync(write, updated, existing);
            if (await SwapAsync(write, item, updated, room) is { } stored)
            {
                return stored;
            }
        }

        throw LostAllRaces(write);
    }

    /// <summary>
    /// Sets of an object what the server itself decides. The object was held to its kind's rules when it was stored and is not
    /// held to them again, and nobody becomes the manager of what is set: that is what makes a binding cheap, of which a full
    /// cluster makes thousands a second. The caller answers for what it sets.
    /// </summary>
    /// <returns>What is stored now.</returns>
    public async Task<StoredObject> AssignAsync(WriteContext write, Action<JsonObject> change)
    {
        for (var attempt = 1; attempt <= AttemptsMax; attempt++)
        {
            var item = await store.GetAsync(write.Key, write.Stopping) ?? throw StatusException.NotFound(write.Subject);
            var resource = write.Resource.Form.Decode(item.Value.Span, item.ModRevision);
            change(resource);
            if (await SwapAsync(write, item, resource, new WriteRoom(write.Stopping)) is { } stored)
            {
                return stored;
            }
        }

        throw LostAllRaces(write);
    }

    /// <summary>Applies a configuration: makes the object, or changes of it what the configuration says and said before.</summary>
    public async Task<(StoredObject Object, bool Created)> ApplyAsync(WriteContext write, ApplyRequest apply)
    {
        ObjectRules.CheckIdentity(apply.Config, write);
        ObjectRules.CheckSchema(apply.Config, write, isPartial: true);
        if (Meta.Of(apply.Config)["managedFields"] is not null)
        {
            throw StatusException.BadRequest("metadata.managedFields must not be set in what is applied");
        }

        for (var attempt = 1; attempt <= AttemptsMax; attempt++)
        {
            if (await store.GetAsync(write.Key, write.Stopping) is not { } item)
            {
                if (await TryCreateAsync(write, apply) is { } made)
                {
                    return (made, Created: true);
                }

                continue;
            }

            var existing = write.Resource.Form.Decode(item.Value.Span, item.ModRevision);
            var applied = FieldManagers.Apply(existing, apply, write, clock.GetUtcNow());
            var updated = Settle(write, existing, applied.Resource);
            FieldManagers.Set(updated, applied.ManagedFields);
            await admission.CheckUpdateAsync(write, updated, existing);
            await using var room = await admission.MakeRoomForChangeAsync(write, updated, existing);
            if (await SwapAsync(write, item, updated, room) is { } stored)
            {
                return (stored, Created: false);
            }
        }

        throw LostAllRaces(write);
    }

    /// <summary>Makes the object that is applied; null when somebody else has just made it.</summary>
    private async Task<StoredObject?> TryCreateAsync(WriteContext write, ApplyRequest apply)
    {
        if (write.Subresource.Length > 0)
        {
            throw StatusException.NotFound(write.Subject);
        }

        if (Meta.Of(apply.Config) is { Uid.Length: > 0 } or { ResourceVersion.Length: > 0 })
        {
            throw StatusException.Conflict(write.Subject, "the configuration names a uid or resourceVersion, and no object exists");
        }

        await apply.CheckMayCreateAsync();
        var applied = FieldManagers.Apply(existing: null, apply, write, clock.GetUtcNow());
        try
        {
            return await CreateAsync(write, applied.Resource, (made, _) => FieldManagers.Set(made, applied.ManagedFields));
        }
        catch (StatusException error) when (error.Reason == "AlreadyExists")
        {
            return null;
        }
    }

    /// <summary>What a change comes to by the rules of its kind and of every kind.</summary>
    private static JsonObject Settle(WriteContext write, JsonObject existing, JsonObject updated)
    {
        var isPartial = write.Subresource == "status"; // Whoever writes a status may leave out the rest.
        ObjectRules.CheckIdentity(updated, write);
        ObjectRules.CheckSchema(updated, write, isPartial);
        CheckExpectations(write, updated, existing);
        updated = ObjectRules.MergeForUpdate(updated, existing, write);
        if (isPartial)
        {
            ObjectRules.CheckSchema(updated, write);
        }

        write.Resource.Definition.Strategy.PrepareForUpdate(updated, existing);
        write.Resource.Definition.Strategy.ApplyDefaults(updated);
        ObjectRules.SetGeneration(updated, existing, write.Resource.Definition);
        ObjectRules.Validate(updated, existing, write);
        return updated;
    }

    private static StatusException LostAllRaces(WriteContext write) =>
        StatusException.Conflict(write.Subject, "other writers changed it all the time while this request was being carried out; please try again");

    /// <summary>Deletes an object, or marks it as being deleted while finalizers hold it.</summary>
    public async Task<DeleteResult> DeleteAsync(WriteContext write, DeleteOptions options)
    {
        for (var attempt = 1; attempt <= AttemptsMax; attempt++)
        {
            var item = await store.GetAsync(write.Key, write.Stopping) ?? throw StatusException.NotFound(write.Subject);
            var existing = write.Resource.Form.Decode(item.Value.Span, item.ModRevision);
            CheckPreconditions(write, options, Meta.Of(existing));
            Admission.CheckDelete(write);
            var marked = existing.DeepClone().AsObject();
            Finalizers.Mark(marked, options, clock.GetUtcNow(), write.Resource.Definition);
            if (!Finalizers.HoldBack(marked, write.Resource.Definition))
            {
                if (write.DryRun || (await store.DeleteAsync(write.Key, item.ModRevision, write.Stopping)).Succeeded)
                {
                    return new DeleteResult(write.Resource.Object(item), Gone: true, Meta.Of(existing).Uid);
                }
            }
            else if (await SwapAsync(write, item, marked, new WriteRoom(write.Stopping)) is { } stored)
            {
                return new DeleteResult(stored, Gone: false, Meta.Of(existing).Uid);
            }
        }

        throw StatusException.Conflict(write.Subject, "other writers changed it all the time while it was to be deleted; please try again");
    }

    /// <summary>As <see cref="DeleteAsync"/>; true also when somebody else had deleted it.</summary>
    public async Task<bool> TryDeleteAsync(WriteContext write, DeleteOptions options)
    {
        try
        {
            return (await DeleteAsync(write, options)).Gone;
        }
        catch (StatusException error) when (error.Reason == "NotFound")
        {
            return true;
        }
    }

    /// <summary>Puts the new object in the old one's place; null when the old one is no longer what it was.</summary>
    private async Task<StoredObject?> SwapAsync(WriteContext write, StoreItem item, JsonObject updated, WriteRoom room)
    {
        var value = write.Resource.Form.Encode(updated);
        if (value.AsSpan().SequenceEqual(item.Value.Span))
        {
            return write.Resource.Object(item);
        }

        if (write.DryRun)
        {
            return new StoredObject(write.Resource, write.Key, value, item.ModRevision);
        }

        var last = Meta.Of(updated).IsDeleting && !Finalizers.HoldBack(updated, write.Resource.Definition);
        var done = await StoreAsync(write, room, stopping => last ? store.DeleteAsync(write.Key, item.ModRevision, stopping) : store.UpdateAsync(write.Key, value, item.ModRevision, stopping));
        return done.Succeeded ? new StoredObject(write.Resource, write.Key, value, done.Revision) : null;
    }

    private static void CheckExpectations(WriteContext write, JsonObject updated, JsonObject existing)
    {
        var (asked, there) = (Meta.Of(updated), Meta.Of(existing));
        if (asked.Uid.Length > 0 && asked.Uid != there.Uid)
        {
            throw StatusException.Conflict(write.Subject, $"Precondition failed: UID in precondition: {asked.Uid}, UID in object meta: {there.Uid}");
        }

        var version = asked.ResourceVersion;
        if (version is "" or "0" || version == there.ResourceVersion)
        {
            return;
        }

        throw long.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out _)
            ? StatusException.Conflict(write.Subject, "the object has been modified; please apply your changes to the latest version and try again")
            : StatusException.BadRequest($"metadata.resourceVersion: {version} is not a version that this server gave out");
    }

    private static void CheckPreconditions(WriteContext write, DeleteOptions options, Meta there)
    {
        if (options.Preconditions?.Uid is { } uid && uid != there.Uid)
        {
            throw StatusException.Conflict(write.Subject, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {there.Uid}");
        }

        if (options.Preconditions?.ResourceVersion is { } version && version != there.ResourceVersion)
        {
            throw StatusException.Conflict(write.Subject, $"Precondition failed: ResourceVersion in precondition: {version}, ResourceVersion in object meta: {there.ResourceVersion}");
        }
    }
}

/// <summary>How a deletion ended: <paramref name="Gone"/>, or marked and held by finalizers.</summary>
internal readonly record struct DeleteResult(StoredObject Object, bool Gone, string Uid);
