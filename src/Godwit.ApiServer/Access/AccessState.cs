using System.Text.Json;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Rbac.V1;
using Godwit.ApiServer.Resources;
using Godwit.Store;

namespace Godwit.ApiServer.Access;

/// <summary>What decisions about access need of the stored objects, made from them one by one.</summary>
internal sealed class AccessState
{
    private readonly ServedResources resources;
    private readonly string? podPrefix;
    private readonly string? guestPrefix;
    private readonly string? claimPrefix;
    private readonly string? movePrefix;
    private readonly string? rolePrefix;
    private readonly string? clusterRolePrefix;
    private readonly string? bindingPrefix;
    private readonly string? clusterBindingPrefix;

    public AccessState(ServedResources resources)
    {
        this.resources = resources;
        podPrefix = PrefixOf(Pod.Type);
        guestPrefix = PrefixOf(VirtualMachineInstance.Type);
        claimPrefix = PrefixOf(PersistentVolumeClaim.Type);
        movePrefix = PrefixOf(VirtualMachineInstanceMigration.Type);
        rolePrefix = PrefixOf(Role.Type);
        clusterRolePrefix = PrefixOf(ClusterRole.Type);
        bindingPrefix = PrefixOf(RoleBinding.Type);
        clusterBindingPrefix = PrefixOf(ClusterRoleBinding.Type);
        Prefixes = [.. new[] { podPrefix, guestPrefix, claimPrefix, movePrefix, rolePrefix, clusterRolePrefix, bindingPrefix, clusterBindingPrefix }.OfType<string>()];
    }

    public ReferenceGraph References { get; } = new();

    public RoleTable Roles { get; } = new();

    /// <summary>The keys of everything that is looked at.</summary>
    public IReadOnlyList<string> Prefixes { get; }

    /// <summary>Whether what a verdict asks for is so.</summary>
    public bool Holds(string node, NodeVerdict verdict) => verdict switch
    {
        NodeVerdict.Decided { Allowed: var allowed } => allowed,
        NodeVerdict.IfRefersTo { Wanted: var wanted } => References.IsNeededBy(node, wanted),
        NodeVerdict.IfRuns { Namespace: var space, Pod: var name } => References.IsOn(node, $"{podPrefix}{space}/{name}"),
        _ => false,
    };

    /// <summary>Takes in an object as it is now. One that cannot be read gives nobody anything.</summary>
    public void Set(StoreItem item, StoreItem? before = null)
    {
        try
        {
            Read(item, before);
        }
        catch (Exception error) when (error is JsonException or InvalidDataException or FormatException)
        {
            Remove(item.Key);
        }
    }

    private void Read(StoreItem item, StoreItem? before)
    {
        if (IsOf(podPrefix, item.Key))
        {
            SetPod(item, before);
        }
        else if (IsOf(guestPrefix, item.Key))
        {
            var guest = Read<VirtualMachineInstance>(item);
            References.SetReferences(item.Key, WorkloadReferences.Of(guest));
            References.SetPlacement(item.Key, guest.Status.NodeName is { Length: > 0 } node ? new Placement(item.Key, node) : null);
        }
        else if (IsOf(claimPrefix, item.Key))
        {
            References.SetVolume(ClaimAt(item.Key), Read<PersistentVolumeClaim>(item).Spec.VolumeName);
        }
        else if (IsOf(movePrefix, item.Key))
        {
            References.SetPlacement(item.Key, TargetOf(Read<VirtualMachineInstanceMigration>(item)));
        }
        else
        {
            ReadRole(item);
        }
    }

    private void ReadRole(StoreItem item)
    {
        if (IsOf(rolePrefix, item.Key))
        {
            var role = Read<Role>(item);
            Roles.SetRole(role.Metadata.Namespace, role.Metadata.Name, role.Rules);
        }
        else if (IsOf(clusterRolePrefix, item.Key))
        {
            var role = Read<ClusterRole>(item);
            Roles.SetClusterRole(role.Metadata.Name, role);
        }
        else if (IsOf(bindingPrefix, item.Key))
        {
            var binding = Read<RoleBinding>(item);
            Roles.SetBinding(item.Key, new BoundRole(binding.Metadata.Namespace, binding.RoleRef, binding.Subjects));
        }
        else if (IsOf(clusterBindingPrefix, item.Key))
        {
            var binding = Read<ClusterRoleBinding>(item);
            Roles.SetBinding(item.Key, new BoundRole("", binding.RoleRef, binding.Subjects));
        }
    }

    /// <summary>Forgets an object that is gone.</summary>
    public void Remove(string key)
    {
        if (IsOf(rolePrefix, key))
        {
            var name = key[rolePrefix!.Length..].Split('/');
            Roles.SetRole(name[0], name[1], null);
        }
        else if (IsOf(clusterRolePrefix, key))
        {
            Roles.SetClusterRole(key[clusterRolePrefix!.Length..], null);
        }
        else if (IsOf(bindingPrefix, key) || IsOf(clusterBindingPrefix, key))
        {
            Roles.SetBinding(key, null);
        }
        else if (IsOf(claimPrefix, key))
        {
            References.SetVolume(ClaimAt(key), null);
        }
        else if (IsOf(podPrefix, key) || IsOf(guestPrefix, key) || IsOf(movePrefix, key))
        {
            References.SetReferences(key, []);
            References.SetPlacement(key, null);
        }
    }

    private ObjectReference ClaimAt(string key)
    {
        var name = key[claimPrefix!.Length..].Split('/');
        return new ObjectReference(ObjectReference.Claims, name[0], name[1]);
    }

    private void SetPod(StoreItem item, StoreItem? before)
    {
        // Most writes of a pod are of its status, which says nothing here; and a binding says no more than where it is.
        if (before is { } there && TopLevel.Slice(there.Value.Span, "spec"u8) is { IsEmpty: false } was && TopLevel.Slice(item.Value.Span, "spec"u8) is { IsEmpty: false } spec)
        {
            if (spec.SequenceEqual(was))
            {
                return;
            }

            if (TopLevel.AreSameBut(was, spec, "nodeName"u8, out var node))
            {
                PlacePod(item.Key, node);
                return;
            }
        }

        var pod = Read<Pod>(item);
        References.SetReferences(item.Key, WorkloadReferences.Of(pod));
        PlacePod(item.Key, pod.Spec.NodeName);
    }

    private void PlacePod(string key, string? node) => References.SetPlacement(key, node is { Length: > 0 } ? new Placement(key, node) : null);

    /// <summary>Where a move brings its guest; null before that is decided and once the move has ended.</summary>
    private Placement? TargetOf(VirtualMachineInstanceMigration move) =>
        !MigrationPhases.IsFinal(move.Status.Phase) && move.Status.MigrationState?.TargetNode is { Length: > 0 } node && move.Spec.VmiName.Length > 0
            ? new Placement($"{guestPrefix}{move.Metadata.Namespace}/{move.Spec.VmiName}", node)
            : null;

    private T Read<T>(StoreItem item) => GodwitJson.FromNode<T>(resources.FindByKey(item.Key)!.Form.Decode(item.Value.Span, item.ModRevision));

    private string? PrefixOf(ResourceType type) => resources.Find(type.Group, type.Version, type.Plural)?.KeyPrefix;

    private static bool IsOf(string? prefix, string key) => prefix is not null && key.StartsWith(prefix, StringComparison.Ordinal);
}
