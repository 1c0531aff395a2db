using Godwit.Api.Apps.V1;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds.Storage;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds.Workloads;

/// <summary>The claims that each pod of a stateful set has of its own.</summary>
internal static class ClaimTemplates
{
    public static IEnumerable<FieldError> Validate(StatefulSetSpec spec)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var index = 0; index < spec.VolumeClaimTemplates.Count; index++)
        {
            var (claim, path) = (spec.VolumeClaimTemplates[index], $"spec.volumeClaimTemplates[{index}]");
            if (Names.CheckDnsLabel(claim.Metadata.Name) is { } wrong)
            {
                yield return FieldError.Invalid($"{path}.metadata.name", claim.Metadata.Name, wrong);
            }
            else if (!seen.Add(claim.Metadata.Name))
            {
                yield return FieldError.Duplicate($"{path}.metadata.name", claim.Metadata.Name);
            }

            foreach (var error in ClaimRules.Validate(claim.Spec, $"{path}.spec"))
            {
                yield return error;
            }
        }
    }

    /// <summary>The template with a volume for each claim, as its pods will have it; one of the same name gives way.</summary>
    public static PodTemplate WithVolumes(PodTemplate template, IReadOnlyList<PersistentVolumeClaim> claims)
    {
        if (claims.Count == 0 || template.Spec is not { } pod)
        {
            return template;
        }

        var names = claims.Select(claim => claim.Metadata.Name).ToHashSet(StringComparer.Ordinal);
        var volumes = names.Where(name => name.Length > 0).Select(name => new PodVolume { Name = name, PersistentVolumeClaim = new PersistentVolumeClaimVolumeSource { ClaimName = name } });
        return template with { Spec = pod with { Volumes = [.. pod.Volumes.Where(volume => !names.Contains(volume.Name)), .. volumes] } };
    }
}
