using Godwit.Containers.Runtime;
using Godwit.Linux.ControlGroups;

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
        CheckResources(spec.Resources, parts.Host);
        if (spec.AutoRemove && spec.Restart.Mode is not RestartMode.Never)
        {
            throw new InvalidRequestException("can't create 'AutoRemove' container with restart policy");
        }

        if (spec.Isolation.HasUserNamespace)
        {
            CheckUserNamespace(spec, parts.Options);
        }

        if (spec.Isolation.ParentControlGroup is { } parent)
        {
            parts.ControlGroups.Open(parent.Trim('/'));
        }
    }

    /// <summary>What a root that is not the host's root cannot share with the host.</summary>
    internal static void CheckUserNamespace(ContainerSpec spec, EngineOptions options)
    {
        const string wayOut = "give the container the host's users (--userns=host), or leave that out";
        if (options.UserIds is null)
        {
            throw new InvalidRequestException("the container has users of its own, and this engine has none to give: start the engine with --userns-remap, or make the container again");
        }

        var isolation = spec.Isolation;
        var refusal = isolation.Privileged ? "privileged mode is incompatible with user namespaces"
            : spec.Network.Mode is NetworkMode.Host ? "cannot share the host's network namespace when user namespaces are enabled"
            : isolation.ProcessNamespace is NamespaceSpec.OfHost ? "cannot share the host PID namespace when user namespaces are enabled"
            : isolation.IpcNamespace is NamespaceSpec.OfHost ? "cannot share the host IPC namespace when user namespaces are enabled"
            : isolation.HostNameNamespace is NamespaceSpec.OfHost ? "cannot share the host UTS namespace when user namespaces are enabled"
            : spec.Network.Mode is NetworkMode.Sandbox ? "cannot join a sandbox when user namespaces are enabled"
            : null;
        if (refusal is not null)
        {
            throw new InvalidRequestException($"{refusal}: {wayOut}");
        }
    }

    internal static void CheckResources(ResourceSpec resources, HostAbilities host)
    {
        if (resources.MemoryBytes is < MemoryBytesMin and > 0)
        {
            throw new InvalidRequestException("Minimum memory limit allowed is 6MB");
        }

        if (resources.MemoryAndSwapBytes is > 0 and var both && (resources.MemoryBytes is not { } memory || both < memory))
        {
            throw new InvalidRequestException("Minimum memoryswap limit should be larger than memory limit");
        }

        if (resources.BlockIoWeight is < BlockIoWeights.Min or > BlockIoWeights.Max)
        {
            throw new InvalidRequestException($"Range of blkio weight is from {BlockIoWeights.Min} to {BlockIoWeights.Max}");
        }

        ResourcePlan.BuildLimits(resources.Limits, host.Rights.HardLimits);
    }
}
