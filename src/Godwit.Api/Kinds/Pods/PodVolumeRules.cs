using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds.Pods;

/// <summary>What a pod's volume must hold: one source, names that could be files, and no path that leads out of its place.</summary>
internal static class PodVolumeRules
{
    private const int ModeMax = 511; // 0777
    private const int TokenSecondsMin = 600;

    private static readonly string[] HostPathTypes = ["", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"];

    public static IEnumerable<FieldError> Validate(PodVolume volume, string path)
    {
        if (Names.CheckDnsLabel(volume.Name) is { } wrong)
        {
            yield return FieldError.Invalid($"{path}.name", volume.Name, wrong);
        }

        var sources = new object?[] { volume.HostPath, volume.EmptyDir, volume.Secret, volume.PersistentVolumeClaim, volume.DownwardAPI, volume.ConfigMap, volume.Projected }.Count(source => source is not null);
        if (sources != 1)
        {
            yield return FieldError.Invalid(path, volume.Name, "must have exactly one source: emptyDir, hostPath, configMap, secret, projected, downwardAPI or persistentVolumeClaim");
        }

        foreach (var error in ValidateHostPath(volume.HostPath, $"{path}.hostPath")
            .Concat(volume.EmptyDir?.SizeLimit is { Value: < 0 } limit ? [FieldError.Invalid($"{path}.emptyDir.sizeLimit", limit.ToString(), "must be greater than or equal to 0")] : [])
            .Concat(volume.PersistentVolumeClaim is { ClaimName.Length: 0 } ? [FieldError.Required($"{path}.persistentVolumeClaim.claimName", "the claim")] : [])
            .Concat(volume.ConfigMap is { } map ? ValidateNamed(map.Name, map.Items, map.DefaultMode, $"{path}.configMap", "name") : [])
            .Concat(volume.Secret is { } secret ? ValidateNamed(secret.SecretName, secret.Items, secret.DefaultMode, $"{path}.secret", "secretName") : [])
            .Concat(volume.DownwardAPI is { } facts ? ValidateFacts(facts.Items, $"{path}.downwardAPI") : [])
            .Concat((volume.Projected?.Sources ?? []).SelectMany((source, index) => ValidateProjection(source, $"{path}.projected.sources[{index}]"))))
        {
            yield return error;
        }
    }

    /// <summary>A path below a volume's root: it must not lead out.</summary>
    public static string? CheckInside(string path) =>
        path.Length == 0 ? "must not be empty"
        : path[0] == '/' ? "must be a relative path"
        : path.Split('/').Contains("..") ? "must not contain '..'"
        : path.StartsWith("..", StringComparison.Ordinal) ? "must not start with '..'"
        : path.Contains('\0', StringComparison.Ordinal) ? "must not contain a zero character"
        : null;

    public static IEnumerable<FieldError> ValidateHostPath(HostPathVolumeSource? source, string path)
    {
        if (source is null)
        {
            yield break;
        }

        if (source.Path.Length == 0)
        {
            yield return FieldError.Required($"{path}.path", "the path on the node");
        }
        else if (VolumeRules.CheckAbsolutePath(source.Path) is { } wrong)
        {
            yield return FieldError.Invalid($"{path}.path", source.Path, wrong);
        }

        if (!HostPathTypes.Contains(source.Type ?? ""))
        {
            yield return FieldError.NotSupported($"{path}.type", source.Type, HostPathTypes);
        }
    }

    private static IEnumerable<FieldError> ValidateNamed(string? name, IReadOnlyList<KeyToPath> items, int? mode, string path, string nameField)
    {
        if (string.IsNullOrEmpty(name))
        {
            yield return FieldError.Required($"{path}.{nameField}", "the object's name");
        }

        if (CheckMode(mode) is { } wrongMode)
        {
            yield return FieldError.Invalid($"{path}.defaultMode", mode, wrongMode);
        }

        for (var index = 0; index < items.Count; index++)
        {
            if (CheckInside(items[index].Path) is { } wrong)
            {
                yield return FieldError.Invalid($"{path}.items[{index}].path", items[index].Path, wrong);
            }

            if (CheckMode(items[index].Mode) is { } wrongItem)
            {
                yield return FieldError.Invalid($"{path}.items[{index}].mode", items[index].Mode, wrongItem);
            }
        }
    }

    private static IEnumerable<FieldError> ValidateFacts(IReadOnlyList<DownwardAPIVolumeFile> files, string path)
    {
        for (var index = 0; index < files.Count; index++)
        {
            var (file, where) = (files[index], $"{path}.items[{index}]");
            if (CheckInside(file.Path) is { } wrong)
            {
                yield return FieldError.Invalid($"{where}.path", file.Path, wrong);
            }

            if (file.FieldRef is null == file.ResourceFieldRef is null)
            {
                yield return FieldError.Required(where, "exactly one of fieldRef and resourceFieldRef is required");
            }
        }
    }

    private static IEnumerable<FieldError> ValidateProjection(VolumeProjection source, string path)
    {
        if (new object?[] { source.Secret, source.ConfigMap, source.DownwardAPI, source.ServiceAccountToken }.Count(part => part is not null) != 1)
        {
            yield return FieldError.Invalid(path, null, "must have exactly one of secret, configMap, downwardAPI and serviceAccountToken");
        }

        if (source.ServiceAccountToken is { } token)
        {
            if (token.ExpirationSeconds is < TokenSecondsMin)
            {
                yield return FieldError.Invalid($"{path}.serviceAccountToken.expirationSeconds", token.ExpirationSeconds, $"may not specify a duration less than {TokenSecondsMin} seconds");
            }

            if (CheckInside(token.Path) is { } wrong)
            {
                yield return FieldError.Invalid($"{path}.serviceAccountToken.path", token.Path, wrong);
            }
        }

        foreach (var error in (source.Secret is { } secret ? ValidateNamed(secret.Name, secret.Items, null, $"{path}.secret", "name") : [])
            .Concat(source.ConfigMap is { } map ? ValidateNamed(map.Name, map.Items, null, $"{path}.configMap", "name") : [])
            .Concat(source.DownwardAPI is { } facts ? ValidateFacts(facts.Items, $"{path}.downwardAPI") : []))
        {
            yield return error;
        }
    }

    private static string? CheckMode(int? mode) => mode is < 0 or > ModeMax ? "must be a number between 0 and 0777 (octal), both inclusive" : null;
}
