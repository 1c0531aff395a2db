namespace Godwit.Containers.Runtime;

/// <summary>The rights that root is divided into (capabilities(7)), and which of them a container gets.</summary>
internal static class Capabilities
{
    private const string Prefix = "CAP_";
    private const string All = "ALL";

    /// <summary>By the kernel's numbers (linux/capability.h).</summary>
    private static readonly string[] Known =
    [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE",
        "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN",
        "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE",
        "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
    ];

    /// <summary>What Docker's containers have: enough for a service that starts as root and then steps down.</summary>
    private static readonly string[] Standard =
    [
        "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",
        "AUDIT_WRITE",
    ];

    /// <summary>A container's capabilities, with prefix, in the kernel's order, and no more than the engine itself may give (<paramref name="bounding"/>, a bit each).</summary>
    /// <exception cref="InvalidRequestException">A name that is none.</exception>
    internal static IReadOnlyList<string> Choose(IsolationSpec isolation, ulong bounding)
    {
        var added = Read(isolation.CapabilitiesAdded);
        var dropped = Read(isolation.CapabilitiesDropped);
        IEnumerable<string> start = isolation.Privileged || added.Contains(All) ? Known : dropped.Contains(All) ? [] : Standard;
        var chosen = start.Concat(added).Where(name => name != All).ToHashSet(StringComparer.Ordinal);
        // What is asked for by name is kept although all are dropped.
        chosen.RemoveWhere(name => dropped.Contains(name) && !isolation.Privileged);
        return [.. Known.Where((name, number) => chosen.Contains(name) && (bounding >> number & 1) != 0).Select(name => Prefix + name)];
    }

    private static HashSet<string> Read(IReadOnlyList<string> names)
    {
        var read = names.Select(name => name.ToUpperInvariant() is var upper && upper.StartsWith(Prefix, StringComparison.Ordinal) ? upper[Prefix.Length..] : upper)
            .ToHashSet(StringComparer.Ordinal);
        return read.FirstOrDefault(name => name != All && !Known.Contains(name)) is { } unknown
            ? throw new InvalidRequestException($"there is no capability '{unknown}': see capabilities(7)")
            : read;
    }
}
