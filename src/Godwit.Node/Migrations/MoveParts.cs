using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Node.Guests;
using Godwit.Node.Peers;
using Microsoft.Extensions.Logging;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Migrations;

/// <summary>What moves work with; the agent puts it together.</summary>
internal sealed record MoveParts
{
    public required NodeName Node { get; init; }

    /// <summary>Below it lie the guests' own disks.</summary>
    public required string DataFolder { get; init; }

    public required ClusterClient Cluster { get; init; }

    public required ResourceCache<VirtualMachineInstance> Guests { get; init; }

    public required ResourceCache<VirtualMachineInstanceMigration> Migrations { get; init; }

    public required ResourceCache<MigrationPolicy> Policies { get; init; }

    public required ResourceCache<KubeNode> Nodes { get; init; }

    public required EventRecorder Events { get; init; }

    public required IMachineHost Host { get; init; }

    public required LocalMachines Machines { get; init; }

    public required IncarnationJournal Incarnations { get; init; }

    public required HostRoom Room { get; init; }

    public required GuestBuilder Builder { get; init; }

    public required IGuestNetwork Network { get; init; }

    public required PeerDialer Dialer { get; init; }

    public required PeerLinks Links { get; init; }

    public required LinkRates Rates { get; init; }

    public required IncomingStreams Incoming { get; init; }

    public required MoveJournal Journal { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Logger { get; init; }
}
