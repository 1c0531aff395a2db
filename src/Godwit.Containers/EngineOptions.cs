using Godwit.Linux.Processes;

namespace Godwit.Containers;

/// <summary>Where an engine keeps its things, and what it calls them on the host: two engines on one host differ in all of these.</summary>
public sealed record EngineOptions
{
    /// <summary>Survives the host's restart: containers, volumes, networks.</summary>
    public string DataFolder { get; init; } = "/var/lib/godwit/engine";

    /// <summary>What only running containers need: bundles, sockets, the runtime's own state.</summary>
    public string RunFolder { get; init; } = "/run/godwit/engine";

    /// <summary>The cgroup that containers' cgroups are made in.</summary>
    public string ControlGroup { get; init; } = "godwit-containers";

    /// <summary>The default network's bridge, and the beginning of the names of all other devices: at most 8 letters.</summary>
    public string DevicePrefix { get; init; } = "godwit";

    /// <summary>The packet filter's table.</summary>
    public string FilterTable { get; init; } = "godwit-containers";

    /// <summary>Ranges that networks are cut from, as <c>range,prefix length</c>.</summary>
    public IReadOnlyList<string> AddressPools { get; init; } = ["172.17.0.0/16,16", "172.18.0.0/15,16", "172.20.0.0/14,16", "172.24.0.0/14,16", "192.168.0.0/16,20"];

    /// <summary>Containers live in sandboxes (<see cref="Containers.Sandboxes"/>), and there is no network of the engine's own that they would join by default.</summary>
    public bool UsesSandboxes { get; init; }

    /// <summary>Who on the host stands behind the users of containers that have a user namespace of their own; null: none has.</summary>
    public IdMap? UserIds { get; init; }

    public string RuntimePath { get; init; } = "/usr/bin/crun";

    public string MonitorPath { get; init; } = "/usr/bin/conmon";

    public string InitPath { get; init; } = "/usr/bin/tini-static";
}
