using System.Globalization;
using Godwit.Containers;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Networks.Containers;
using Godwit.Oci;

namespace Godwit.DockerApi.Mapping;

/// <summary>A container as clients see it. Pure.</summary>
internal static class ContainerWriter
{
    private static readonly EmptyObject Nothing = EmptyObject.Value;

    public static ContainerInspection Inspect(ContainerSnapshot container) => new()
    {
        Id = container.Id.Value,
        Created = Moments.Write(container.CreatedAt),
        Path = container.Spec.Process.Arguments is [var program, ..] ? program : "",
        Args = [.. container.Spec.Process.Arguments.Skip(1)],
        State = WriteState(container),
        Image = container.Spec.ImageId,
        ResolvConfPath = Path.Combine(container.Folder, "resolv.conf"),
        HostnamePath = Path.Combine(container.Folder, "hostname"),
        HostsPath = Path.Combine(container.Folder, "hosts"),
        LogPath = container.Spec.Log.Kept ? Path.Combine(container.Folder, "log") : "",
        Name = "/" + container.Name,
        RestartCount = container.RestartCount,
        ExecIDs = container.Executions.Count > 0 ? container.Executions : null,
        HostConfig = HostConfigWriter.Write(container.Spec),
        Mounts = WriteMounts(container),
        Config = WriteConfig(container),
        NetworkSettings = WriteNetwork(container),
    };

    public static ContainerListEntry List(ContainerSnapshot container, DateTimeOffset now) => new()
    {
        Id = container.Id.Value,
        Names = ["/" + container.Name],
        Image = container.Spec.Image,
        ImageID = container.Spec.ImageId,
        Command = string.Join(' ', container.Spec.Process.Arguments.Select(argument => argument.Contains(' ', StringComparison.Ordinal) ? $"'{argument}'" : argument)),
        Created = container.CreatedAt.ToUnixTimeSeconds(),
        Ports = WritePorts(container),
        Labels = container.Spec.Labels,
        State = container.State.Word,
        Status = StatusText.Of(container, now),
        HostConfig = new HostConfigSummary(HostConfigWriter.WriteNetworkMode(container.Spec.Network)),
        NetworkSettings = new NetworkSettingsSummary(WriteEndpoints(container)),
        Mounts = WriteMounts(container),
    };

    public static StateBody WriteState(ContainerSnapshot container)
    {
        var exit = (container.State as ContainerState.Exited)?.Exit ?? (container.State as ContainerState.Restarting)?.Exit;
        var failure = (container.State as ContainerState.Created)?.Failure;
        var now = (container.State as ContainerState.Alive)?.Now;
        return new StateBody
        {
            Status = container.State.Word,
            Running = container.State.IsAlive || container.State is ContainerState.Restarting, // As Docker counts.
            Paused = container.State is ContainerState.Paused,
            Restarting = container.State is ContainerState.Restarting,
            OOMKilled = exit?.OutOfMemory ?? false,
            Dead = container.State is ContainerState.Dead,
            Pid = now?.ProcessId ?? 0,
            ExitCode = exit?.Code ?? failure?.Code ?? 0,
            Error = exit?.Error ?? failure?.Words ?? (container.State as ContainerState.Dead)?.Reason ?? "",
            StartedAt = Moments.Write(now?.StartedAt ?? exit?.StartedAt),
            FinishedAt = Moments.Write(exit?.FinishedAt),
            Health = container.Spec.HealthCheck is null ? null : WriteHealth(container.Health),
        };
    }

    public static IReadOnlyDictionary<string, EndpointSettings?> WriteEndpoints(ContainerSnapshot container) => container.Spec.Network.Mode switch
    {
        NetworkMode.Networks => container.Endpoints.ToDictionary(pair => pair.Key, pair => (EndpointSettings?)WriteEndpoint(pair.Value, container), StringComparer.Ordinal),
        NetworkMode.Host => new Dictionary<string, EndpointSettings?>(StringComparer.Ordinal) { ["host"] = new() { NetworkID = BuiltInNetworks.HostId } },
        NetworkMode.None => container.Endpoints.ToDictionary(pair => pair.Key, pair => (EndpointSettings?)WriteEndpoint(pair.Value, container), StringComparer.Ordinal) is { Count: > 0 } joined
            ? joined : new Dictionary<string, EndpointSettings?>(StringComparer.Ordinal) { ["none"] = new() { NetworkID = BuiltInNetworks.NoneId } },
        _ => new Dictionary<string, EndpointSettings?>(StringComparer.Ordinal),
    };

    private static HealthBody WriteHealth(ContainerHealth? health) => health is null
        ? new HealthBody("starting", 0, [])
        : new HealthBody(
            StatusText.Word(health.Status),
            health.FailingStreak,
            [.. health.Probes.Select(probe => new HealthLogEntry(Moments.Write(probe.StartedAt), Moments.Write(probe.EndedAt), probe.ExitCode, probe.Output))]);

    private static ContainerConfig WriteConfig(ContainerSnapshot container)
    {
        var (spec, process) = (container.Spec, container.Spec.Process);
        var anonymous = spec.Mounts.OfType<MountSpec.Volume>().Where(volume => volume.Anonymous).ToDictionary(volume => volume.Target, _ => Nothing, StringComparer.Ordinal);
        return new ContainerConfig
        {
            Hostname = spec.HostName ?? container.Id.Short,
            Domainname = spec.DomainName,
            User = process.User,
            AttachStdin = process.OpenStandardInput,
            AttachStdout = true,
            AttachStderr = true,
            ExposedPorts = spec.Network.ExposedPorts.Count == 0 ? null : spec.Network.ExposedPorts.ToDictionary(port => port, _ => Nothing, StringComparer.Ordinal),
            Tty = process.Terminal,
            OpenStdin = process.OpenStandardInput,
            StdinOnce = process.StandardInputOnce,
            Env = process.Environment,
            Cmd = process.Command,
            Healthcheck = WriteCheck(spec.HealthCheck),
            Image = spec.Image,
            Volumes = anonymous.Count > 0 ? anonymous : null,
            WorkingDir = process.WorkingDirectory is "/" ? "" : process.WorkingDirectory,
            Entrypoint = process.Entrypoint.Count > 0 ? process.Entrypoint : null,
            Labels = spec.Labels,
            StopSignal = spec.Stop.Signal,
            StopTimeout = spec.Stop.TimeoutSeconds,
        };
    }

    private static HealthCheck? WriteCheck(HealthCheckSpec? check) => check is null ? null : new HealthCheck
    {
        Test = ["CMD", .. check.Command],
        IntervalNanoseconds = check.Interval.Ticks * 100,
        TimeoutNanoseconds = check.Timeout.Ticks * 100,
        StartPeriodNanoseconds = check.StartPeriod.Ticks * 100,
        StartIntervalNanoseconds = check.StartInterval.Ticks * 100,
        Retries = check.Retries,
    };

    private static NetworkSettings WriteNetwork(ContainerSnapshot container)
    {
        var standard = container.Endpoints.GetValueOrDefault("bridge")?.Addresses;
        var settings = new NetworkSettings
        {
            SandboxID = container.State.IsAlive ? container.Id.Value : "",
            SandboxKey = container.State is ContainerState.Alive alive ? $"/proc/{alive.Now.ProcessId.ToString(CultureInfo.InvariantCulture)}/ns/net" : "",
            Ports = WritePortMap(container),
            Networks = WriteEndpoints(container),
        };
        return standard is null ? settings : settings with
        {
            EndpointID = standard.EndpointId,
            Gateway = standard.Gateway,
            IPAddress = standard.Address,
            IPPrefixLen = standard.PrefixLength,
            MacAddress = standard.Mac,
            GlobalIPv6Address = standard.AddressV6 ?? "",
            GlobalIPv6PrefixLen = standard.PrefixLengthV6,
            IPv6Gateway = standard.GatewayV6 ?? "",
        };
    }

    private static EndpointSettings WriteEndpoint(NetworkEndpoint endpoint, ContainerSnapshot container)
    {
        var has = endpoint.Addresses;
        return new EndpointSettings
        {
            IPAMConfig = endpoint is { WantedAddress: null, WantedAddressV6: null } ? null : new EndpointIpam(endpoint.WantedAddress, endpoint.WantedAddressV6),
            Aliases = endpoint.Aliases.Count > 0 ? endpoint.Aliases : null,
            MacAddress = has?.Mac ?? endpoint.WantedMac ?? "",
            NetworkID = endpoint.NetworkId,
            EndpointID = has?.EndpointId ?? "",
            Gateway = has?.Gateway ?? "",
            IPAddress = has?.Address ?? "",
            IPPrefixLen = has?.PrefixLength ?? 0,
            IPv6Gateway = has?.GatewayV6 ?? "",
            GlobalIPv6Address = has?.AddressV6 ?? "",
            GlobalIPv6PrefixLen = has?.PrefixLengthV6 ?? 0,
            DNSNames = endpoint.NetworkName is "bridge" ? null : [container.Name, .. endpoint.Aliases, container.Id.Short],
        };
    }

    private static Dictionary<string, IReadOnlyList<PortBindingBody>?> WritePortMap(ContainerSnapshot container)
    {
        var map = new Dictionary<string, IReadOnlyList<PortBindingBody>?>(StringComparer.Ordinal);
        if (container.State.IsAlive)
        {
            foreach (var exposed in container.Spec.Network.ExposedPorts)
            {
                map[exposed] = null;
            }

            foreach (var group in container.Ports.GroupBy(port => $"{Number(port.ContainerPort)}/{port.Protocol}", StringComparer.Ordinal))
            {
                map[group.Key] = [.. group.Select(port => new PortBindingBody(port.HostAddress, Number(port.HostPort)))];
            }
        }

        return map;
    }

    private static List<PortEntry> WritePorts(ContainerSnapshot container)
    {
        if (!container.State.IsAlive)
        {
            return [];
        }

        var published = container.Ports.Select(port => new PortEntry { Address = port.HostAddress, PrivatePort = port.ContainerPort, PublicPort = port.HostPort, Type = port.Protocol }).ToList();
        var others = container.Spec.Network.ExposedPorts.Select(NetworkReader.ReadPort).Where(port => !container.Ports.Any(bound => bound.ContainerPort == port.Port && bound.Protocol == port.Protocol));
        return [.. published, .. others.Select(port => new PortEntry { PrivatePort = port.Port, Type = port.Protocol })];
    }

    private static List<MountPointBody> WriteMounts(ContainerSnapshot container) =>
    [
        .. container.Mounts.Where(mount => mount.Kind is not "tmpfs").Select(mount => new MountPointBody
        {
            Type = mount.Kind,
            Name = mount.Name.Length > 0 ? mount.Name : null,
            Source = mount.Source,
            Destination = mount.Target,
            Driver = mount.Kind is "volume" ? "local" : null,
            Mode = mount.ReadOnly ? "ro" : "",
            RW = !mount.ReadOnly,
            Propagation = mount.Propagation,
        }),
    ];

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
