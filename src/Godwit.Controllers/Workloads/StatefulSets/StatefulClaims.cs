using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.StatefulSets;

/// <summary>What is to be done about the claims of a stateful set now.</summary>
/// <param name="Change">Claims, each with the owners that it is to have.</param>
/// <param name="Delete">Claims of numbers that are no longer wanted and whose pods are gone.</param>
internal sealed record StatefulClaimPlan(IReadOnlyList<(PersistentVolumeClaim Claim, IReadOnlyList<OwnerReference> Owners)> Change, IReadOnlyList<PersistentVolumeClaim> Delete);

/// <summary>
/// The claims of a stateful set's pods: one for each template and number, made before the pod and found again by its name, so that whoever has the number has the data. They stay when the
/// set shrinks or goes, unless <c>persistentVolumeClaimRetentionPolicy</c> says otherwise. Who owns a claim decides when the garbage collector takes it, so that it does whoever dies and also when the set is no more:
/// <code>
///   number    whenScaled  its pod   owner of the claim
///   wanted    any         any       the set with whenDeleted: Delete, else nobody
///   too high  Retain      any       the same
///   too high  Delete      there     that pod: the claim goes with it, whatever becomes of the set meanwhile
///   too high  Delete      gone      (deleted)
/// </code>
/// A number that is wanted again before its pod has gone gets its claim back. After that it waits until the claim has gone, and starts with a new one: a pod on a claim that is about to go would lose what it writes.
/// </summary>
internal static class StatefulClaims
{
    private const string Delete = "Delete";

    public static string NameOf(StatefulSet set, PersistentVolumeClaim template, int ordinal) => $"{template.Metadata.Name}-{StatefulPods.NameOf(set, ordinal)}";

    /// <summary>The claims that the pod of that number needs.</summary>
    public static IEnumerable<PersistentVolumeClaim> Make(StatefulSet set, int ordinal) => set.Spec.VolumeClaimTemplates.Select(template => new PersistentVolumeClaim
    {
        Metadata = new ObjectMeta
        {
            Namespace = set.Metadata.Namespace,
            Name = NameOf(set, template, ordinal),
            Labels = PodTemplates.With(template.Metadata.Labels, set.Spec.Selector.MatchLabels),
            Annotations = template.Metadata.Annotations,
            OwnerReferences = BelongsToSet(set) ? [ReferenceTo(set)] : [],
        },
        Spec = template.Spec,
    });

    /// <summary>The pod with a volume for each of its claims; one of the same name gives way.</summary>
    public static PodSpec WithVolumes(StatefulSet set, int ordinal, PodSpec spec)
    {
        var own = set.Spec.VolumeClaimTemplates.ToDictionary(template => template.Metadata.Name, template => NameOf(set, template, ordinal), StringComparer.Ordinal);
        return own.Count == 0 ? spec : spec with
        {
            Volumes =
            [
                .. spec.Volumes.Where(volume => !own.ContainsKey(volume.Name)),
                .. own.Select(each => new PodVolume { Name = each.Key, PersistentVolumeClaim = new PersistentVolumeClaimVolumeSource { ClaimName = each.Value } }),
            ],
        };
    }

    /// <param name="set">The stateful set.</param>
    /// <param name="claims">The claims of its namespace.</param>
    /// <param name="pods">The pods of its namespace.</param>
    public static StatefulClaimPlan For(StatefulSet set, IEnumerable<PersistentVolumeClaim> claims, IEnumerable<Pod> pods)
    {
        if (set.Metadata.DeletionTimestamp is not null || set.Spec.VolumeClaimTemplates.Count == 0)
        {
            return new StatefulClaimPlan([], []);
        }

        var present = pods.ToDictionary(pod => pod.Metadata.Name, StringComparer.Ordinal);
        var (change, delete) = (new List<(PersistentVolumeClaim, IReadOnlyList<OwnerReference>)>(), new List<PersistentVolumeClaim>());
        foreach (var claim in claims.Where(claim => claim.Metadata.DeletionTimestamp is null))
        {
            if (OrdinalOf(set, claim) is not { } ordinal)
            {
                continue;
            }

            var pod = present.GetValueOrDefault(StatefulPods.NameOf(set, ordinal));
            var goesWithPod = !IsWanted(set, ordinal) && set.Spec.PersistentVolumeClaimRetentionPolicy?.WhenScaled == Delete;
            if (goesWithPod && pod is null)
            {
                delete.Add(claim);
            }
            else if (IsGoing(set, claim, pod))
            {
                continue;
            }
            else if (OwnersOf(set, claim, goesWithPod ? ReferenceTo(pod!) : BelongsToSet(set) ? ReferenceTo(set) : null) is { } owners)
            {
                change.Add((claim, owners));
            }
        }

        return new StatefulClaimPlan(change, delete);
    }

    /// <summary>Whether a pod that is made now would lose what it writes: its claim is being deleted, or will be because the pod that it went with is gone.</summary>
    /// <param name="set">The stateful set.</param>
    /// <param name="claim">A claim of one of its numbers.</param>
    /// <param name="pod">The pod of that number; null when there is none.</param>
    public static bool IsGoing(StatefulSet set, PersistentVolumeClaim claim, Pod? pod) =>
        claim.Metadata.DeletionTimestamp is not null
        || claim.Metadata.OwnerReferences.Any(owner => owner.Kind == Pod.Type.Kind && IsNameOfPod(set, owner.Name) && owner.Uid != pod?.Metadata.Uid);

    /// <summary>Whether a claim is that of a number of the set.</summary>
    public static bool IsOf(StatefulSet set, PersistentVolumeClaim claim) => claim.Metadata.Namespace == set.Metadata.Namespace && OrdinalOf(set, claim) is not null;

    /// <summary>The claim's owners with the set and its pods replaced by one, or by none; null when that is what they are.</summary>
    private static IReadOnlyList<OwnerReference>? OwnersOf(StatefulSet set, PersistentVolumeClaim claim, OwnerReference? wanted)
    {
        var ours = claim.Metadata.OwnerReferences.Where(owner => owner.Uid == set.Metadata.Uid || (owner.Kind == Pod.Type.Kind && IsNameOfPod(set, owner.Name))).ToList();
        return ours.Count == (wanted is null ? 0 : 1) && ours.TrueForAll(owner => owner.Uid == wanted?.Uid) ? null : [.. claim.Metadata.OwnerReferences.Except(ours), .. wanted is null ? [] : new[] { wanted }];
    }

    private static bool IsNameOfPod(StatefulSet set, string name) => StatefulPods.OrdinalOf(set, name) is not null;

    private static bool IsWanted(StatefulSet set, int ordinal) => ordinal - (set.Spec.Ordinals?.Start ?? 0) is >= 0 and var index && index < (set.Spec.Replicas ?? 1);

    /// <summary>The number that a claim is of; null when it is none of the set's. What the set would have made it with must be on it: a name alone may be another's.</summary>
    private static int? OrdinalOf(StatefulSet set, PersistentVolumeClaim claim)
    {
        if (!set.Spec.Selector.MatchLabels.All(label => claim.Metadata.Labels.GetValueOrDefault(label.Key) == label.Value))
        {
            return null;
        }

        foreach (var template in set.Spec.VolumeClaimTemplates)
        {
            var prefix = template.Metadata.Name + "-";
            if (claim.Metadata.Name.StartsWith(prefix, StringComparison.Ordinal) && StatefulPods.OrdinalOf(set, claim.Metadata.Name[prefix.Length..]) is { } ordinal)
            {
                return ordinal;
            }
        }

        return null;
    }

    private static bool BelongsToSet(StatefulSet set) => set.Spec.PersistentVolumeClaimRetentionPolicy?.WhenDeleted == Delete;

    private static OwnerReference ReferenceTo(Resource owner) => PodTemplates.ReferenceTo(owner) with { Controller = null, BlockOwnerDeletion = null };
}

/// <summary>Carries out what <see cref="StatefulClaims"/> decides.</summary>
internal sealed class StatefulClaimKeeper(ClusterView cluster)
{
    private readonly ResourceClient<PersistentVolumeClaim> claims = cluster.ClientOf<PersistentVolumeClaim>();

    /// <summary>Makes those of a number, which has no pod, that are not there. One that is there is taken as it is: it has the data.</summary>
    /// <returns>False: one of them is going, and the pod waits until it has gone.</returns>
    public async Task<bool> TryEnsureAsync(StatefulSet set, int ordinal, CancellationToken stopping)
    {
        foreach (var wanted in StatefulClaims.Make(set, ordinal))
        {
            var key = ResourceKey.Of(wanted);
            if (cluster.Claims.Current.Find(key) is { } known)
            {
                if (StatefulClaims.IsGoing(set, known, pod: null))
                {
                    return false;
                }

                continue;
            }

            try
            {
                cluster.Claims.Observe(await claims.CreateAsync(wanted, stopping));
                cluster.Events.Record(set, EventTypes.Normal, "SuccessfulCreate", $"create Claim {key.Name} Pod {StatefulPods.NameOf(set, ordinal)} in StatefulSet {set.Metadata.Name} success");
            }
            catch (ApiException error) when (!error.IsAlreadyExists)
            {
                cluster.Events.Record(set, EventTypes.Warning, "FailedCreate", $"create Claim {key.Name} for Pod {StatefulPods.NameOf(set, ordinal)} in StatefulSet {set.Metadata.Name} failed error: {error.Message}");
                throw;
            }
            catch (ApiException)
            {
                // There already; the watch brings it.
            }
        }

        return true;
    }

    public async Task CarryOutAsync(StatefulSet set, IReadOnlyList<Pod> pods, CancellationToken stopping)
    {
        var plan = StatefulClaims.For(set, cluster.Claims.Current.Items.Where(claim => claim.Metadata.Namespace == set.Metadata.Namespace), pods);
        foreach (var (claim, owners) in plan.Change)
        {
            cluster.Claims.Observe(await claims.ChangeAsync(claim, claim with { Metadata = claim.Metadata with { OwnerReferences = owners } }, stopping));
        }

        foreach (var claim in plan.Delete)
        {
            await claims.TryDeleteAsync(ResourceKey.Of(claim), new DeleteOptions { Preconditions = new Preconditions { Uid = claim.Metadata.Uid } }, stopping);
            cluster.Events.Record(set, EventTypes.Normal, "SuccessfulDelete", $"delete Claim {claim.Metadata.Name} in StatefulSet {set.Metadata.Name} success");
        }
    }
}
