using Godwit.Containers.Runtime;

namespace Godwit.Containers;

/// <summary>What can be told to be wrong with a container before it is made.</summary>
internal static class SpecCheck
{
    private const int HostNameLengthMax = 63;
    private const long MemoryBytesMin = 6L << 20;

    /// <exception cref="InvalidRequestException">In words for the one who asked.</exception>
    internal static void Check(ContainerSpec spec, EngineParts parts)
    {
        if (spec.Process.Arguments.Count == 0)
        {
            throw new InvalidRequestException("no command specified");
        }

        if (spec.Process.Arguments.Concat(spec.Process.Environment).Any(text => text.Contains('\0', StringComparison.Ordinal)))
        {
            throw new InvalidRequestException("an argument or a variable holds a NUL character, which no program can be given");
        }

        if (!spec.Process.WorkingDirectory.StartsWith('/') && spec.Process.WorkingDirectory.Length > 0)
        {
            throw new InvalidRequestException($"the working directory '{spec.Process.WorkingDirectory}' is invalid, it needs to be an absolute path");
        }

        if (spec.HostName is { } host && (host.Length is 0 or > HostNameLengthMax || !host.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.' or '_')))
        {
            throw new InvalidRequestException($"invalid hostname format: {host}");
        }

        Signals.Parse(spec.Stop.Signal);
        Capabilities.Choose(spec.Isolation, ulong.MaxValue);
        CheckResources(spec.Resources, parts);
        if (spec.AutoRemove && spec.Restart.Mode is not RestartMode.Never)
        {
            throw new InvalidRequestException("can't create 'AutoRemove' container with restart policy");
        }

        if (spec.Isolation.UserNamespace is not null)
        {
            throw new InvalidRequestException("user namespaces are not supported: a container's root is the host's root, less its capabilities");
        }

        if (spec.Isolation.ParentControlGroup is { } parent)
        {
            parts.ControlGroups.Open(parent.Trim('/'));
        }
    }

    internal static void CheckResources(ResourceSpec resources, EngineParts parts)
    {
        if (resources.MemoryBytes is < MemoryBytesMin and > 0)
        {
            throw new InvalidRequestException("Minimum memory limit allowed is 6MB");
        }

        if (resources.MemoryAndSwapBytes is > 0 and var both && (resources.MemoryBytes is not { } memory || both < memory))
        {
            throw new InvalidRequestException("Minimum memoryswap limit should be larger than memory limit");
        }

        ResourcePlan.BuildLimits(resources.Limits, parts.Host.Rights.HardLimits);
    }
}
