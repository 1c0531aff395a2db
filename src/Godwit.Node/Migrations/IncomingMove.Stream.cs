using System.Net;
using Godwit.Api;
using Godwit.Machines;
using Godwit.Node.Peers;

namespace Godwit.Node.Migrations;

/// <content>The stream of the guest's memory, as the target takes it.</content>
internal sealed partial class IncomingMove
{
    /// <summary>The source need not wait for this host's QEMU: what it sends before that listens is kept.</summary>
    private async Task TakeStreamAsync(CancellationToken stopping)
    {
        if (!route.Preparation.Stream.Direct)
        {
            var place = await parts.Host.ReserveAsync(route.MachineId, stopping);
            listening = new(0, parts.Incoming.Prepare(SourceNode(), SocketOf(place, 0), route.Preparation.Stream.ChannelCount, listens: false), null);
            await TellAsync(Report(engine.Phase.Report), stopping);
        }
    }

    /// <summary>Where QEMU is to listen, and what the source is told about it.</summary>
    private string Listen(IMachine machine, int attempt, DirectKeys? keys)
    {
        listening?.Stream?.Dispose();
        if (route.Preparation.Stream.Direct)
        {
            var address = OwnAddress();
            var port = DirectPorts.Find(address);
            listening = new(attempt, null, new() { Port = port, Keys = keys });
            return DirectDoor.UriOf(address, port);
        }

        listening = new(attempt, parts.Incoming.Prepare(SourceNode(), SocketOf(machine.Place, attempt), route.Preparation.Stream.ChannelCount), null);
        return UriOf(machine.Place, attempt);
    }

    private static string UriOf(MachinePlace place, int attempt) => $"unix:{SocketOf(place, attempt)}";

    private static string SocketOf(MachinePlace place, int attempt) => place.MigrationSocket($"in-{attempt}");

    private NodeName SourceNode() =>
        NodeName.TryParse(route.Source, out var node) ? node : throw new MachineException($"'{route.Source}' is no name of a node.");

    /// <summary>Where the source finds this host: that is where it looks for its agent.</summary>
    private IPAddress OwnAddress() =>
        PeerEndpoint.TryParse(parts.Node, parts.Nodes.Current.Find(new("", parts.Node.Value))?.Metadata.Annotations.GetValueOrDefault(AnnotationNames.PeerEndpoint), out var endpoint)
            ? endpoint.Address.Address
            : throw new MachineException($"the node {parts.Node} does not say yet where it is found, so no stream can come to it directly.");

    private Listening? ListeningFor(int attempt) => listening is { } open && open.Attempt == attempt ? open : null;

    private sealed record Listening(int Attempt, IncomingStream? Stream, DirectDoor? Door);
}
