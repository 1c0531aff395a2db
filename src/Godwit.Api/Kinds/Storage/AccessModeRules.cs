using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.Base;

namespace Godwit.Api.Kinds.Storage;

/// <summary>What volumes and claims say alike: how they are mounted, as what, how large, of which class.</summary>
internal static class AccessModeRules
{
    /// <summary>Each mode and what kubectl writes for it, in its order.</summary>
    public static IReadOnlyList<(string Mode, string Short)> ShortNames { get; } =
    [
        (VolumeAccessModes.ReadWriteOnce, "RWO"),
        (VolumeAccessModes.ReadOnlyMany, "ROX"),
        (VolumeAccessModes.ReadWriteMany, "RWX"),
        (VolumeAccessModes.ReadWriteOncePod, "RWOP"),
    ];

    private const string Block = "Block";

    private static readonly string[] Modes = [.. ShortNames.Select(each => each.Mode)];

    public static IEnumerable<FieldError> Validate(IReadOnlyList<string> modes, string? volumeMode, string? storageClass, string path)
    {
        if (modes.Count == 0)
        {
            yield return FieldError.Required($"{path}.accessModes", "at least 1 access mode is required");
        }

        for (var index = 0; index < modes.Count; index++)
        {
            if (!Modes.Contains(modes[index]))
            {
                yield return FieldError.NotSupported($"{path}.accessModes[{index}]", modes[index], Modes);
            }
        }

        if (modes.Count > 1 && modes.Contains(VolumeAccessModes.ReadWriteOncePod))
        {
            yield return FieldError.Forbidden($"{path}.accessModes", "may not use ReadWriteOncePod with other access modes");
        }

        if (volumeMode == Block)
        {
            yield return FieldError.Forbidden($"{path}.volumeMode", "Godwit gives pods file systems, not devices: Filesystem is there");
        }

        if (storageClass is { Length: > 0 } && Names.CheckDnsSubdomain(storageClass) is { } wrong)
        {
            yield return FieldError.Invalid($"{path}.storageClassName", storageClass, wrong);
        }
    }

    /// <summary>A map that must say how much storage, more than nothing.</summary>
    public static IEnumerable<FieldError> ValidateSize(IReadOnlyDictionary<string, Quantity> amounts, string path)
    {
        if (!amounts.TryGetValue(Quantities.Storage, out var size))
        {
            yield return FieldError.Required($"{path}[{Quantities.Storage}]", "how much storage");
        }
        else if (size.Value <= 0)
        {
            yield return FieldError.Invalid($"{path}[{Quantities.Storage}]", size.ToString(), "must be greater than zero");
        }

        foreach (var name in amounts.Keys.Where(name => name != Quantities.Storage))
        {
            yield return FieldError.NotSupported($"{path}[{name}]", name, Quantities.Storage);
        }
    }
}
