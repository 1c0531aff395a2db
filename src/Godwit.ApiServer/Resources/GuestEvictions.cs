using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Kinds;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;
using Godwit.Store;
using DeleteOptions = Godwit.Api.Meta.V1.DeleteOptions;
using ObjectMeta = Godwit.Api.Meta.V1.ObjectMeta;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// The eviction of a pod that stands for a guest, which is how <c>kubectl drain</c> empties a node: the guest is moved away, and until it
/// has left the answer is 429, upon which kubectl asks again. So each question drives the next step, and a drain that was given up begins no
/// more moves.
/// <code>
///   asked ──▶ status.evacuationNodeName = its node, a migration is made ──▶ 429 … 429 ──▶ the guest is on another node: 404, the mark is taken away
///                        │                                                            (was it moved, and its new node has not said so: 429, no other move is made)
///                        ▲ made again when the last one failed, after a pause ┘
/// </code>
/// Marks, words and strategies are KubeVirt's, save that a guest that says nothing is moved, as <c>godwit drain</c> does, and one that says <c>None</c> is not shut down.
/// </summary>
internal sealed class GuestEvictions(IRevisionStore store, ListHandler lists, ServedResources resources, ObjectWriter writer)
{
    /// <summary>None is named: clients would wait for it without a word, where kubectl says why and asks again every five seconds.</summary>
    private const int RetryAfterSeconds = 0;

    /// <summary>After a move that failed, before another is made: what stood in its way seldom goes away sooner.</summary>
    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(30);

    private readonly ServedResource? guests = resources.Find(GroupName.KubeVirt, "v1", "virtualmachineinstances");
    private readonly ServedResource? moves = resources.Find(GroupName.KubeVirt, "v1", "virtualmachineinstancemigrations");

    public async Task HandleAsync(ApiRequest request)
    {
        if (guests is null || moves is null)
        {
            throw StatusException.UnknownPath();
        }

        var body = (await BodyReader.ReadObjectAsync(request, BuiltInKinds.Eviction.Type, BuiltInKinds.Eviction.Schema)).Value;
        FieldErrors.ThrowIfAny(SchemaCheck.Run(BuiltInKinds.Eviction.Schema, body).Errors, request.Info.Subject);
        var options = body["deleteOptions"] is JsonObject given ? GodwitJson.FromNode<DeleteOptions>(given) : new DeleteOptions();
        var write = WriteContext.Of(request, guests);
        write = write with { Name = GuestPods.GuestNameOf(request.Info.Name), Subresource = "", DryRun = write.DryRun || options.DryRun.Count > 0 };
        var item = await store.GetAsync(write.Key, request.Stopping) ?? throw StatusException.NotFound(request.Info.Subject);
        var guest = GodwitJson.FromNode<VirtualMachineInstance>(guests.Form.Decode(item.Value.Span, item.ModRevision));
        if (options.Preconditions?.Uid is { } uid && uid != guest.Metadata.Uid)
        {
            throw StatusException.Conflict(request.Info.Subject, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {guest.Metadata.Uid}");
        }

        if (guest.Metadata.DeletionTimestamp is not null)
        {
            throw Later($"the virtual machine {write.Name} is being stopped");
        }

        if (string.IsNullOrEmpty(guest.Status.NodeName) || VirtualMachineInstancePhases.IsFinal(guest.Status.Phase))
        {
            await writer.DeleteAsync(write, options); // Nothing of it runs: what is left is the object.
            await ResourceHandler.AnswerSuccessAsync(request, 201, new StatusDetails());
            return;
        }

        if (guest.Status.EvacuationNodeName is { Length: > 0 } left && left != guest.Status.NodeName)
        {
            await MarkAsync(write, left, null);
            throw StatusException.NotFound(request.Info.Subject);
        }

        await EvacuateAsync(request, write, guest);
    }

    private async Task EvacuateAsync(ApiRequest request, WriteContext write, VirtualMachineInstance guest)
    {
        var (name, node) = (guest.Metadata.Name, guest.Status.NodeName!);
        if (guest.Spec.EvictionStrategy == EvictionStrategies.None)
        {
            throw StatusException.Forbidden(
                request.Info.Subject, $"this pod stands for a virtual machine whose evictionStrategy is None: it is not to be moved when its node is emptied. Move it with 'godwit migrate {name}', or stop it with 'godwit vm stop {name}'");
        }

        if (guest.Status.EvacuationNodeName != node)
        {
            await MarkAsync(write, guest.Status.EvacuationNodeName, node);
        }

        if (guest.Spec.EvictionStrategy == EvictionStrategies.External)
        {
            throw Later($"the virtual machine {name} has the evictionStrategy External: whoever looks after it has to move it away from {node}");
        }

        var known = await MovesOfAsync(guest, write.Stopping);
        if (GuestPlace.Unclaimed(guest, known) is { } left)
        {
            throw Later($"the virtual machine {name} has been moved away from {node}, and the agent of {left.TargetNode} has not said yet that it runs there");
        }

        if (known.FirstOrDefault(move => !MigrationPhases.IsFinal(move.Status.Phase)) is { } active)
        {
            throw Later($"the virtual machine {name} is being moved away from {node} by {active.Metadata.Name}");
        }

        var earlier = known.Where(move => move.Metadata.Annotations.ContainsKey(AnnotationNames.EvacuationMigration) && move.Status.Phase == MigrationPhases.Failed).ToList();
        if (earlier.MaxBy(EndOf) is { } last && (writer.Now - EndOf(last)).Duration() < AgainAfter) // One that ended ahead of the clock ended before that went back.
        {
            throw Later($"the virtual machine {name} could not be moved away from {node}: {last.Status.MigrationState?.FailureReason ?? "its move failed"}; it is tried again");
        }

        foreach (var failed in earlier)
        {
            await writer.TryDeleteAsync(Of(write, failed.Metadata.Name), new DeleteOptions()); // The newest says enough.
        }

        await writer.CreateAsync(Of(write, ""), Manifest(guest, node));
        throw Later($"the virtual machine {name} is going to be moved away from {node}");
    }

    private WriteContext Of(WriteContext write, string name) => write with { Resource = moves!, Name = name };

    private Task<StoredObject> MarkAsync(WriteContext write, string? before, string? node) => writer.UpdateAsync(write with { Subresource = "status" }, found =>
    {
        var status = found.GetOrAddObject("status");
        if ((string?)status["evacuationNodeName"] == before)
        {
            status["evacuationNodeName"] = node;
        }

        return found;
    });

    private async Task<List<VirtualMachineInstanceMigration>> MovesOfAsync(VirtualMachineInstance guest, CancellationToken stopping)
    {
        var found = new List<VirtualMachineInstanceMigration>();
        await foreach (var page in lists.ReadAllAsync(new ObjectFilter(moves!, guest.Metadata.Namespace, ""), default, stopping))
        {
            found.AddRange(page.Items.Select(item => GodwitJson.FromNode<VirtualMachineInstanceMigration>(moves!.Form.Decode(item.Value.Span, item.Revision)))
                .Where(move => move.Spec.VmiName == guest.Metadata.Name));
        }

        return found;
    }

    private static DateTimeOffset EndOf(VirtualMachineInstanceMigration move) =>
        move.Status.MigrationState?.EndTimestamp ?? move.Metadata.CreationTimestamp ?? DateTimeOffset.MinValue;

    private static JsonObject Manifest(VirtualMachineInstance guest, string node) => GodwitJson.ToObject(new VirtualMachineInstanceMigration
    {
        Metadata = new ObjectMeta
        {
            GenerateName = "evacuation-",
            Namespace = guest.Metadata.Namespace,
            Annotations = new Dictionary<string, string> { [AnnotationNames.EvacuationMigration] = node },
        },
        Spec = new VirtualMachineInstanceMigrationSpec { VmiName = guest.Metadata.Name },
    });

    private static StatusException Later(string why) =>
        StatusException.TooManyRequests($"Cannot evict pod: {why}.", RetryAfterSeconds, new StatusCause("EvacuationPending", why, ""));
}
