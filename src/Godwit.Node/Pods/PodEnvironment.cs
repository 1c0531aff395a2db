using System.Text;
using Godwit.Api.Core.V1;

namespace Godwit.Node.Pods;

/// <summary>A container's variables: of services first, then of whole ConfigMaps and Secrets, then its own, each of which may refer to those before it.</summary>
internal static class PodEnvironment
{
    /// <exception cref="PodConfigException">What a variable is taken from is not there.</exception>
    public static async Task<IReadOnlyDictionary<string, string>> BuildAsync(Pod pod, Container container, PodObjects objects, PodSurroundings around, CancellationToken stopping)
    {
        var values = ServiceVariables.For(pod, around.Services);
        foreach (var source in container.EnvFrom)
        {
            var data = source.ConfigMapRef is { } map ? await objects.ReadMapAsync(map.Name ?? "", map.Optional == true, stopping)
                : source.SecretRef is { } secret ? await objects.ReadSecretAsync(secret.Name ?? "", secret.Optional == true, stopping)
                : null;
            foreach (var (key, value) in data ?? new Dictionary<string, byte[]>(StringComparer.Ordinal))
            {
                if (key.Length > 0 && !key.Contains('=', StringComparison.Ordinal))
                {
                    values[source.Prefix + key] = Encoding.UTF8.GetString(value);
                }
            }
        }

        foreach (var variable in container.Env)
        {
            if (await ReadAsync(pod, container, variable, values, objects, around.HostAddress, stopping) is { } value)
            {
                values[variable.Name] = value;
            }
        }

        return values;
    }

    private static async Task<string?> ReadAsync(
        Pod pod, Container container, EnvVar variable, Dictionary<string, string> before, PodObjects objects, string hostAddress, CancellationToken stopping)
    {
        switch (variable.ValueFrom)
        {
            case null:
                return PodFields.Expand(variable.Value ?? "", before);
            case { FieldRef: { } field }:
                return PodFields.Field(pod, field.FieldPath, hostAddress);
            case { ResourceFieldRef: { } resource }:
                return PodFields.Resource(pod, container, resource);
            case { ConfigMapKeyRef: { } key }:
                return Pick(await objects.ReadMapAsync(key.Name ?? "", key.Optional == true, stopping), key.Key, key.Optional, $"configmap {key.Name}");
            case { SecretKeyRef: { } key }:
                return Pick(await objects.ReadSecretAsync(key.Name ?? "", key.Optional == true, stopping), key.Key, key.Optional, $"secret {key.Name}");
            default:
                throw new PodConfigException($"the variable {variable.Name} says from no place that is known where its value comes from");
        }
    }

    private static string? Pick(IReadOnlyDictionary<string, byte[]>? data, string key, bool? optional, string place)
    {
        if (data is not null && data.TryGetValue(key, out var value))
        {
            return Encoding.UTF8.GetString(value);
        }

        return optional == true ? null : throw new PodConfigException($"couldn't find key {key} in {place}");
    }
}

/// <summary>What a container may be told of where its pod runs.</summary>
internal sealed record PodSurroundings(string HostAddress, IEnumerable<Service> Services);
