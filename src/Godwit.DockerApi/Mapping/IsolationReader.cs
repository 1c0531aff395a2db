using Godwit.Containers;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Mapping;

/// <summary>What stands between a container and its host.</summary>
internal static class IsolationReader
{
    private const long SharedMemoryBytesDefault = 64L << 20;
    private const string ContainerPrefix = "container:";

    /// <param name="host">What is asked.</param>
    /// <param name="hasUserNamespaces">Whether containers that say nothing of it have users of their own.</param>
    public static IsolationSpec Read(HostConfig host, bool hasUserNamespaces)
    {
        if (host.UsernsMode is not (null or "" or "host"))
        {
            throw DockerException.Invalid($"invalid user namespace mode: {host.UsernsMode}");
        }

        var spec = new IsolationSpec
        {
            Privileged = host.Privileged,
            CapabilitiesAdded = host.CapAdd ?? [],
            CapabilitiesDropped = host.CapDrop ?? [],
            ReadOnlyRoot = host.ReadonlyRootfs,
            MaskedPaths = host.MaskedPaths,
            ReadOnlyPaths = host.ReadonlyPaths,
            KernelSettings = host.Sysctls ?? new Dictionary<string, string>(StringComparer.Ordinal),
            Devices = [.. (host.Devices ?? []).Select(ReadDevice)],
            DeviceRules = host.DeviceCgroupRules ?? [],
            ProcessNamespace = ReadNamespace("PID", host.PidMode),
            IpcNamespace = ReadNamespace("IPC", host.IpcMode),
            HostNameNamespace = ReadNamespace("UTS", host.UTSMode),
            InitProcess = host.Init ?? false,
            SharedMemoryBytes = host.ShmSize switch { 0 => SharedMemoryBytesDefault, > 0 => host.ShmSize, _ => throw DockerException.Invalid("SHM size can not be less than 0") },
            HasUserNamespace = hasUserNamespaces && host.UsernsMode is not "host",
            ParentControlGroup = string.IsNullOrEmpty(host.CgroupParent) ? null : host.CgroupParent,
        };
        return (host.SecurityOpt ?? []).Aggregate(spec, ReadOption);
    }

    private static IsolationSpec ReadOption(IsolationSpec spec, string option)
    {
        var at = option.AsSpan().IndexOfAny('=', ':');
        var (name, value) = at < 0 ? (option, "") : (option[..at], option[(at + 1)..]);
        return (name, value) switch
        {
            ("no-new-privileges", "" or "true") => spec with { NoNewPrivileges = true },
            ("no-new-privileges", "false") => spec with { NoNewPrivileges = false },
            ("seccomp", "unconfined") => spec with { SystemCalls = new SystemCallFilter.None() },
            ("seccomp", "builtin") => spec,
            ("seccomp", ['{', ..]) => spec with { SystemCalls = new SystemCallFilter.Custom(value) },
            ("systempaths", "unconfined") => spec with { MaskedPaths = [], ReadOnlyPaths = [] },
            ("apparmor", "unconfined" or "") or ("label", _) => spec, // Neither is in force here.
            _ => throw DockerException.Invalid($"invalid --security-opt: '{(option.Length > 80 ? option[..80] + "…" : option)}' is not supported by godwit"),
        };
    }

    private static NamespaceSpec ReadNamespace(string kind, string? mode) => mode switch
    {
        null or "" or "private" => NamespaceSpec.Own,
        "shareable" or "none" when kind is "IPC" => NamespaceSpec.Own,
        "host" => NamespaceSpec.Host,
        _ when kind is not "UTS" && mode.StartsWith(ContainerPrefix, StringComparison.Ordinal) && mode.Length > ContainerPrefix.Length => new NamespaceSpec.OfContainer(mode[ContainerPrefix.Length..]),
        _ => throw DockerException.Invalid($"Invalid {kind} mode: {mode}"),
    };

    private static DeviceSpec ReadDevice(DeviceBody body) => body switch
    {
        { PathOnHost: ['/', ..] source } => new DeviceSpec(source, string.IsNullOrEmpty(body.PathInContainer) ? source : body.PathInContainer, ReadAccess(body.CgroupPermissions)),
        _ => throw DockerException.Invalid($"bad device path: '{body.PathOnHost}'"),
    };

    private static string ReadAccess(string? access) => string.IsNullOrEmpty(access) ? "rwm"
        : access.All(letter => letter is 'r' or 'w' or 'm') ? access
        : throw DockerException.Invalid($"invalid device mode: '{access}'");
}
