using System.Net;
using Godwit.Api.Core.V1;
using Godwit.Client;
using Godwit.Networks.Overlays;
using Godwit.Networks.Probing;
using Godwit.Node.Networking;

namespace Godwit.Node.Observer;

/// <summary>A guest being asked for signs of life.</summary>
internal interface IGuestWatch : IAsyncDisposable
{
    ProbeReport Report();
}

/// <summary>Begins to ask a guest for signs of life.</summary>
internal interface IGuestWatcher
{
    IGuestWatch Watch(IPAddress guest);
}

/// <summary>Asks from this host's own station on the overlay.</summary>
internal sealed class ProbeStarter(OverlayNames names, ResourceCache<ConfigMap> settings, TimeProvider time) : IGuestWatcher
{
    public IGuestWatch Watch(IPAddress guest)
    {
        var map = settings.Current.Find(ClusterNetwork.SettingsKey) ?? throw new FormatException($"The ConfigMap {ClusterNetwork.SettingsKey} does not exist.");
        return new ProbeWatch(GuestProbe.Start(
            new ProbeTarget { LinkName = names.Observer, SourceAddress = ClusterNetwork.Parse(map).ObserverAddress, Address = guest }, time));
    }

    private sealed class ProbeWatch(GuestProbe probe) : IGuestWatch
    {
        public ProbeReport Report() => probe.Report();

        public ValueTask DisposeAsync() => probe.DisposeAsync();
    }
}
