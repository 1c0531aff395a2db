using Godwit.Scheduling;
using Godwit.Scheduling.Volumes;

namespace Godwit.Controllers.Storage;

/// <summary>A claim or a volume.</summary>
internal readonly record struct StorageKey(bool IsVolume, ResourceKey Key)
{
    public override string ToString() => $"{(IsVolume ? PersistentVolume.Type.Plural : PersistentVolumeClaim.Type.Plural)}/{Key}";
}

/// <summary>Carries out what <see cref="ClaimPlanner"/> and <see cref="VolumePlanner"/> decide, with one worker for both, so that no volume is given out twice.</summary>
internal sealed class StorageController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller<StorageKey>("storage", clock, logger)
{
    private readonly ResourceClient<PersistentVolumeClaim> claims = cluster.ClientOf<PersistentVolumeClaim>();
    private readonly ResourceClient<PersistentVolume> volumes = cluster.ClientOf<PersistentVolume>();
    private readonly ResourceClient<Pod> pods = cluster.ClientOf<Pod>();

    protected override void Subscribe()
    {
        cluster.Claims.Subscribe(change =>
        {
            Enqueue(ClaimKey(change.Key));
            foreach (var volume in cluster.Volumes.Current.Items.Where(volume => Refers(volume, change.Key) || volume.Metadata.Name == (change.After ?? change.Before)!.Spec.VolumeName))
            {
                Enqueue(VolumeKey(ResourceKey.Of(volume)));
            }
        });
        cluster.Volumes.Subscribe(change =>
        {
            Enqueue(VolumeKey(change.Key));
            var volume = (change.After ?? change.Before)!;
            foreach (var claim in cluster.Claims.Current.Items.Where(claim => !IsBound(claim) || claim.Spec.VolumeName == volume.Metadata.Name))
            {
                Enqueue(ClaimKey(ResourceKey.Of(claim)));
            }
        });
        cluster.StorageClasses.Subscribe(_ => EnqueueOpen());
        cluster.Nodes.Subscribe(change =>
        {
            if (change.Before is null || change.After is null || NodeFacts.Of(change.Before).VolumesFolder != NodeFacts.Of(change.After).VolumesFolder)
            {
                EnqueueAll();
            }
        });
        cluster.Pods.Subscribe(change =>
        {
            foreach (var name in StorageView.NamesOf((change.After ?? change.Before)!))
            {
                Enqueue(ClaimKey(new ResourceKey(change.Key.Namespace, name)));
            }
        });
    }

    protected override IEnumerable<StorageKey> AllKeys() => cluster.Claims.Current.Keys.Select(ClaimKey).Concat(cluster.Volumes.Current.Keys.Select(VolumeKey));

    protected override Task<NextLook> ReconcileAsync(StorageKey key, CancellationToken stopping) => key.IsVolume ? LookAtVolumeAsync(key.Key, stopping) : LookAtClaimAsync(key.Key, stopping);

    private static StorageKey ClaimKey(ResourceKey key) => new(IsVolume: false, key);

    private static StorageKey VolumeKey(ResourceKey key) => new(IsVolume: true, key);

    private static bool IsBound(PersistentVolumeClaim claim) => claim.Metadata.Annotations.ContainsKey(AnnotationNames.BindCompleted);

    private static bool Refers(PersistentVolume volume, ResourceKey claim) => volume.Spec.ClaimRef is { } reference && reference.Name == claim.Name && reference.Namespace == claim.Namespace;

    private static bool Uses(Pod pod, string claim) => !string.IsNullOrEmpty(pod.Spec.NodeName) && !PodPhases.IsFinal(pod.Status.Phase) && StorageView.NamesOf(pod).Contains(claim);

    private void EnqueueOpen()
    {
        foreach (var claim in cluster.Claims.Current.Items.Where(claim => !IsBound(claim)))
        {
            Enqueue(ClaimKey(ResourceKey.Of(claim)));
        }
    }

    private async Task<NextLook> LookAtClaimAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.Claims.Current.Find(key) is not { } claim)
        {
            return NextLook.OnChange;
        }

        var plan = ClaimPlanner.For(new ClaimWorld
        {
            Claim = claim,
            Volumes = [.. cluster.Volumes.Current.Items],
            Classes = [.. cluster.StorageClasses.Current.Items],
            Nodes = [.. cluster.Nodes.Current.Items.Select(NodeFacts.Of)],
            IsInUse = cluster.Pods.Current.Items.Any(pod => pod.Metadata.Namespace == key.Namespace && Uses(pod, key.Name)),
        });
        await ActAsync(claim, plan, stopping);
        return NextLook.OnChange;
    }

    private async Task ActAsync(PersistentVolumeClaim claim, ClaimPlan plan, CancellationToken stopping)
    {
        switch (plan)
        {
            case ClaimPlan.Wait wait:
                cluster.Events.Record(claim, wait.Severity, wait.Reason, wait.Message);
                break;
            case ClaimPlan.SetClass set:
                await WriteAsync(claim, claim with { Spec = claim.Spec with { StorageClassName = set.Name } }, stopping);
                break;
            case ClaimPlan.Bind bind:
                await BindAsync(claim, bind.Volume, stopping);
                break;
            case ClaimPlan.Provision provision:
                await ProvisionAsync(claim, provision.Volume, stopping);
                break;
            case ClaimPlan.Delegate outside:
                await WriteAsync(claim, Annotated(claim, AnnotationNames.StorageProvisioner, outside.Provisioner), stopping);
                cluster.Events.Record(claim, EventTypes.Normal, "ExternalProvisioning", $"Waiting for a volume to be created either by the external provisioner '{outside.Provisioner}' or manually by the system administrator.");
                break;
            case ClaimPlan.Reschedule again:
                cluster.Events.Record(claim, EventTypes.Warning, "ProvisioningFailed", again.Why);
                await WriteAsync(claim, Annotated(claim, AnnotationNames.SelectedNode, null), stopping);
                break;
            case ClaimPlan.Grow grow:
                cluster.Volumes.Observe(await volumes.ChangeAsync(grow.Volume, grow.Volume with { Spec = grow.Volume.Spec with { Capacity = claim.Spec.Resources!.Requests } }, stopping));
                cluster.Events.Record(claim, EventTypes.Normal, "VolumeResizeSuccessful", $"Volume {grow.Volume.Metadata.Name} has {claim.Spec.Resources.Requests[Quantities.Storage]} now");
                break;
            case ClaimPlan.Lose lose:
                if (claim.Status.Phase != ClaimPhases.Lost)
                {
                    cluster.Events.Record(claim, EventTypes.Warning, lose.Reason, lose.Message);
                    await WriteStatusAsync(claim, claim.Status with { Phase = ClaimPhases.Lost }, stopping);
                }

                break;
            case ClaimPlan.LetGo when !await IsUsedAsync(claim, stopping):
                await WriteAsync(claim, claim with { Metadata = claim.Metadata with { Finalizers = [.. claim.Metadata.Finalizers.Where(name => name != FinalizerNames.ClaimProtection)] } }, stopping);
                break;
        }
    }

    private async Task BindAsync(PersistentVolumeClaim claim, PersistentVolume volume, CancellationToken stopping)
    {
        if (volume.Spec.ClaimRef?.Uid != claim.Metadata.Uid)
        {
            var chosen = volume.Spec.ClaimRef is null ? Annotated(volume, AnnotationNames.BoundByController, "yes") : volume;
            volume = cluster.Volumes.Observe(await volumes.ChangeAsync(volume, chosen with { Spec = volume.Spec with { ClaimRef = LocalVolumes.ReferenceTo(claim) } }, stopping));
        }

        await WriteStatusAsync(volume, VolumePlanner.For(volume, claim, _ => true, Clock.GetUtcNow()).Status, stopping);
        var bound = Annotated(claim, AnnotationNames.BindCompleted, "yes");
        bound = string.IsNullOrEmpty(claim.Spec.VolumeName) ? Annotated(bound, AnnotationNames.BoundByController, "yes") : bound;
        claim = await WriteAsync(claim, bound with { Spec = claim.Spec with { VolumeName = volume.Metadata.Name } }, stopping);
        await WriteStatusAsync(claim, claim.Status with { Phase = ClaimPhases.Bound, AccessModes = volume.Spec.AccessModes, Capacity = volume.Spec.Capacity }, stopping);
    }

    private async Task ProvisionAsync(PersistentVolumeClaim claim, PersistentVolume volume, CancellationToken stopping)
    {
        try
        {
            cluster.Volumes.Observe(await volumes.CreateAsync(volume, stopping));
            cluster.Events.Record(claim, EventTypes.Normal, "ProvisioningSucceeded", $"Successfully provisioned volume {volume.Metadata.Name}");
        }
        catch (ApiException there) when (there.IsAlreadyExists)
        {
            // Made before, by this claim's own name: the watch brings it.
        }
    }

    private async Task<NextLook> LookAtVolumeAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.Volumes.Current.Find(key) is not { } volume)
        {
            return NextLook.OnChange;
        }

        var plan = VolumePlanner.For(volume, await FindClaimAsync(volume, stopping), name => cluster.Nodes.Current.Find("", name) is not null, Clock.GetUtcNow());
        if (plan.Status.Phase == VolumePhases.Failed && volume.Status.Reason != plan.Status.Reason)
        {
            cluster.Events.Record(volume, EventTypes.Warning, plan.Status.Reason ?? "", plan.Status.Message ?? "");
        }

        volume = await WriteStatusAsync(volume, plan.Status, stopping);
        if (plan.Delete)
        {
            await volumes.TryDeleteAsync(key, new DeleteOptions { Preconditions = new Preconditions { Uid = volume.Metadata.Uid } }, stopping);
        }
        else if (plan.Finalizers.Count != volume.Metadata.Finalizers.Count)
        {
            cluster.Volumes.Observe(await volumes.ChangeAsync(volume, volume with { Metadata = volume.Metadata with { Finalizers = plan.Finalizers } }, stopping));
        }

        return NextLook.OnChange;
    }

    /// <summary>That a claim is gone is believed from the server's own answer only: the cache of claims may be behind that of volumes.</summary>
    private async Task<PersistentVolumeClaim?> FindClaimAsync(PersistentVolume volume, CancellationToken stopping)
    {
        if (volume.Spec.ClaimRef is not { Uid.Length: > 0 } reference)
        {
            return null;
        }

        var key = new ResourceKey(reference.Namespace ?? "", reference.Name ?? "");
        return cluster.Claims.Current.Find(key) is { } known && known.Metadata.Uid == reference.Uid ? known : await claims.FindAsync(key, stopping);
    }

    /// <summary>Asked of the server itself: a pod that the cache does not show yet may have just got its node.</summary>
    private async Task<bool> IsUsedAsync(PersistentVolumeClaim claim, CancellationToken stopping) =>
        (await pods.ListAsync(new ListOptions { Namespace = claim.Metadata.Namespace }, stopping)).Items.Any(pod => Uses(pod, claim.Metadata.Name));

    private async Task<PersistentVolumeClaim> WriteAsync(PersistentVolumeClaim before, PersistentVolumeClaim after, CancellationToken stopping) =>
        cluster.Claims.Observe(await claims.ChangeAsync(before, after, stopping));

    private async Task WriteStatusAsync(PersistentVolumeClaim claim, PersistentVolumeClaimStatus status, CancellationToken stopping) =>
        cluster.Claims.Observe(await claims.ChangeStatusAsync(claim, claim with { Status = status }, stopping));

    private async Task<PersistentVolume> WriteStatusAsync(PersistentVolume volume, PersistentVolumeStatus status, CancellationToken stopping) =>
        cluster.Volumes.Observe(await volumes.ChangeStatusAsync(volume, volume with { Status = status }, stopping));

    private static PersistentVolumeClaim Annotated(PersistentVolumeClaim claim, string name, string? value) => claim with { Metadata = Annotated(claim.Metadata, name, value) };

    private static PersistentVolume Annotated(PersistentVolume volume, string name, string? value) => volume with { Metadata = Annotated(volume.Metadata, name, value) };

    private static ObjectMeta Annotated(ObjectMeta metadata, string name, string? value)
    {
        var annotations = new Dictionary<string, string>(metadata.Annotations, StringComparer.Ordinal);
        annotations.Remove(name);
        if (value is not null)
        {
            annotations[name] = value;
        }

        return metadata with { Annotations = annotations };
    }
}
