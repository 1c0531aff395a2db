using System.Globalization;
using Godwit.Containers;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Mapping;

/// <summary>A container's spec in Docker's words again, so that a client that reads it and makes a container of it gets the same.</summary>
internal static class HostConfigWriter
{
    public static HostConfig Write(ContainerSpec spec)
    {
        var host = new HostConfig
        {
            Binds = NullIfEmpty(spec.Mounts.Select(WriteBind).OfType<string>()),
            Mounts = NullIfEmpty(spec.Mounts.Select(WriteMount).OfType<MountBody>()),
            Tmpfs = spec.Mounts.OfType<MountSpec.Memory>().ToDictionary(mount => mount.Target, WriteMemory, StringComparer.Ordinal) is { Count: > 0 } memory ? memory : null,
            ContainerIDFile = "",
            LogConfig = new LogConfig(spec.Log.Driver, spec.Log.Options),
            NetworkMode = WriteNetworkMode(spec.Network),
            PortBindings = WriteBindings(spec.Network.Ports),
            PublishAllPorts = spec.Network.PublishesAll,
            RestartPolicy = WriteRestart(spec.Restart),
            AutoRemove = spec.AutoRemove,
            VolumeDriver = "",
            ConsoleSize = [spec.Process.TerminalSize?.Rows ?? 0, spec.Process.TerminalSize?.Columns ?? 0],
            Annotations = spec.Annotations.Count > 0 ? spec.Annotations : null,
            Dns = spec.Network.NameServers,
            DnsOptions = spec.Network.ResolverOptions,
            DnsSearch = spec.Network.SearchDomains,
            ExtraHosts = NullIfEmpty(spec.Network.ExtraHosts),
            GroupAdd = NullIfEmpty(spec.Process.SupplementaryGroups),
            StorageOpt = spec.StorageSizeBytes is { } size ? new Dictionary<string, string>(StringComparer.Ordinal) { ["size"] = Number(size) } : null,
        };
        return Bound(Isolate(host, spec.Isolation), spec.Resources);
    }

    public static string WriteNetworkMode(NetworkSpec network) => network.Mode switch
    {
        NetworkMode.Host => "host",
        NetworkMode.None => "none",
        NetworkMode.Container => $"container:{network.Container}",
        _ => network.Endpoints is [var first, ..] ? first.Network : "bridge",
    };

    public static RestartPolicyBody WriteRestart(RestartPolicy policy) => new(
        policy.Mode switch
        {
            RestartMode.Always => "always",
            RestartMode.UnlessStopped => "unless-stopped",
            RestartMode.OnFailure => "on-failure",
            _ => "no",
        },
        policy.RetriesMax);

    public static IReadOnlyDictionary<string, IReadOnlyList<PortBindingBody>?> WriteBindings(IReadOnlyList<PublishedPort> ports) =>
        ports.GroupBy(port => $"{Number(port.ContainerPort)}/{port.Protocol}", StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => (IReadOnlyList<PortBindingBody>?)[.. group.Select(port => new PortBindingBody(port.HostAddress, WriteHostPort(port)))], StringComparer.Ordinal);

    private static HostConfig Isolate(HostConfig host, IsolationSpec isolation) => host with
    {
        Privileged = isolation.Privileged,
        CapAdd = NullIfEmpty(isolation.CapabilitiesAdded),
        CapDrop = NullIfEmpty(isolation.CapabilitiesDropped),
        ReadonlyRootfs = isolation.ReadOnlyRoot,
        SecurityOpt = NullIfEmpty(WriteOptions(isolation)),
        MaskedPaths = isolation.MaskedPaths,
        ReadonlyPaths = isolation.ReadOnlyPaths,
        Sysctls = isolation.KernelSettings.Count > 0 ? isolation.KernelSettings : null,
        Devices = [.. isolation.Devices.Select(device => new DeviceBody(device.HostPath, device.Path, device.Access))],
        DeviceCgroupRules = NullIfEmpty(isolation.DeviceRules),
        CgroupnsMode = "private",
        PidMode = WriteNamespace(isolation.ProcessNamespace, ""),
        IpcMode = WriteNamespace(isolation.IpcNamespace, "private"),
        UTSMode = WriteNamespace(isolation.HostNameNamespace, ""),
        UsernsMode = "",
        Init = isolation.InitProcess ? true : null,
        ShmSize = isolation.SharedMemoryBytes,
        CgroupParent = isolation.ParentControlGroup ?? "",
        Runtime = "crun",
        Isolation = "",
    };

    private static HostConfig Bound(HostConfig host, ResourceSpec resources) => host with
    {
        Memory = resources.MemoryBytes ?? 0,
        MemorySwap = resources.MemoryAndSwapBytes ?? 0,
        MemoryReservation = resources.MemoryReservationBytes ?? 0,
        CpuShares = resources.CpuShares ?? 0,
        CpuQuota = resources.CpuQuotaMicroseconds ?? 0,
        CpuPeriod = resources.CpuPeriodMicroseconds ?? 0,
        CpusetCpus = resources.CpuSet ?? "",
        CpusetMems = resources.MemoryNodeSet ?? "",
        PidsLimit = resources.TasksMax,
        BlkioWeight = resources.BlockIoWeight ?? 0,
        BlkioDeviceReadBps = Throttles(resources.ReadBytesPerSecond),
        BlkioDeviceWriteBps = Throttles(resources.WriteBytesPerSecond),
        BlkioDeviceReadIops = Throttles(resources.ReadOperationsPerSecond),
        BlkioDeviceWriteIops = Throttles(resources.WriteOperationsPerSecond),
        Ulimits = NullIfEmpty(resources.Limits.Select(limit => new UlimitBody(limit.Name, unchecked((long)limit.Hard), unchecked((long)limit.Soft)))),
        OomScoreAdj = resources.OutOfMemoryScoreAdjustment ?? 0,
    };

    /// <summary>Only what <c>-v</c> can say, which includes a folder made where the host has none.</summary>
    private static string? WriteBind(MountSpec mount) => mount switch
    {
        MountSpec.Bind { MakesSource: true, NonRecursive: false } bind => $"{bind.Source}:{bind.Target}:{string.Join(',', Options(bind.ReadOnly ? "ro" : "rw", bind.Propagation is MountPropagation.RecursivePrivate ? "" : WritePropagation(bind.Propagation)))}",
        MountSpec.Volume { Anonymous: false, SubPath: "" } volume => $"{volume.Name}:{volume.Target}:{string.Join(',', Options(volume.ReadOnly ? "ro" : "rw", volume.NoCopy ? "nocopy" : ""))}",
        _ => null,
    };

    private static MountBody? WriteMount(MountSpec mount) => mount switch
    {
        MountSpec.Bind bind when WriteBind(bind) is null => new MountBody
        {
            Type = "bind",
            Source = bind.Source,
            Target = bind.Target,
            ReadOnly = bind.ReadOnly,
            BindOptions = new BindOptionsBody(WritePropagation(bind.Propagation), bind.NonRecursive, bind.MakesSource),
        },
        MountSpec.Volume { Anonymous: false, SubPath.Length: > 0 } volume => new MountBody
        {
            Type = "volume",
            Source = volume.Name,
            Target = volume.Target,
            ReadOnly = volume.ReadOnly,
            VolumeOptions = new VolumeOptionsBody(volume.NoCopy, null, null, volume.SubPath),
        },
        _ => null,
    };

    private static string WriteMemory(MountSpec.Memory mount) => string.Join(
        ',',
        Options([mount.ReadOnly ? "ro" : "", mount.SizeBytes is { } size ? $"size={Number(size)}" : "", $"mode={Convert.ToString(mount.Mode, 8)}", .. mount.Options]));

    public static string WritePropagation(MountPropagation propagation) => propagation switch
    {
        MountPropagation.Private => "private",
        MountPropagation.RecursiveSlave => "rslave",
        MountPropagation.Slave => "slave",
        MountPropagation.RecursiveShared => "rshared",
        MountPropagation.Shared => "shared",
        _ => "rprivate",
    };

    private static IEnumerable<string> WriteOptions(IsolationSpec isolation)
    {
        if (isolation.NoNewPrivileges)
        {
            yield return "no-new-privileges";
        }

        switch (isolation.SystemCalls)
        {
            case SystemCallFilter.None:
                yield return "seccomp=unconfined";
                break;
            case SystemCallFilter.Custom custom:
                yield return $"seccomp={custom.Profile}";
                break;
        }
    }

    private static string WriteNamespace(NamespaceSpec space, string own) => space switch
    {
        NamespaceSpec.OfHost => "host",
        NamespaceSpec.OfContainer other => $"container:{other.Container}",
        _ => own,
    };

    private static string WriteHostPort(PublishedPort port) =>
        port.HostPort == 0 ? "" : port.HostPortLast > port.HostPort ? $"{Number(port.HostPort)}-{Number(port.HostPortLast)}" : Number(port.HostPort);

    private static List<ThrottleDeviceBody>? Throttles(IReadOnlyList<DeviceThrottle> throttles) => NullIfEmpty(throttles.Select(one => new ThrottleDeviceBody(one.Path, one.Rate)));

    private static IEnumerable<string> Options(params IEnumerable<string> options) => options.Where(option => option.Length > 0);

    private static List<T>? NullIfEmpty<T>(IEnumerable<T> items) => items.ToList() is { Count: > 0 } list ? list : null;

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
