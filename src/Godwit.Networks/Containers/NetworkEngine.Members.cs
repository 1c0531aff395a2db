using System.Net;
using System.Security.Cryptography;
using Godwit.Linux.Networking;
using Godwit.Linux.Processes;

namespace Godwit.Networks.Containers;

/// <summary>Who is in the networks, and how they come in and go.</summary>
public sealed partial class NetworkEngine
{
    /// <summary>The name of a container's namespace, below <c>/run/netns</c>.</summary>
    public string NamespaceName(string containerId) => $"{options.DevicePrefix}-{containerId[..12]}";

    /// <summary>A namespace with a loopback and nothing else.</summary>
    public string MakeLonely(string containerId, IdMap? ids) => NetworkPlumbing.MakeNamespace(NamespaceName(containerId), ids).FilePath;

    /// <summary>Makes the container's namespace and connects it to its networks; publishes its ports; tells its names.</summary>
    /// <param name="wanted">Its endpoints without addresses, and the names of its networks.</param>
    /// <param name="ports">What is to be published.</param>
    /// <param name="stopping">Ends the waiting; call <see cref="LeaveAsync"/> then, as after any failure.</param>
    /// <returns>The member as it is now, and its namespace's path.</returns>
    /// <exception cref="NetworkException">A network is missing, or an address or port is not to be had.</exception>
    public async Task<(NetworkMember Member, string NamespacePath)> JoinAsync(NetworkMember wanted, IReadOnlyList<PortRequest> ports, CancellationToken stopping)
    {
        NetworkMember joined;
        await gate.WaitAsync(stopping);
        try
        {
            if (members.TryGetValue(wanted.Id, out var before))
            {
                GiveBack(before);
            }

            var endpoints = new List<NetworkEndpoint>();
            var partial = wanted;
            foreach (var endpoint in wanted.Endpoints)
            {
                endpoints.Add(Address(endpoint, Get(endpoint.NetworkName), wanted.Id, $"eth{endpoints.Count}"));
                // Noted one by one: what was taken is given back if the next fails.
                members = members.SetItem(wanted.Id, partial = wanted with { Endpoints = [.. endpoints] });
            }

            var taken = members.Values.Where(member => member.Id != wanted.Id).SelectMany(member => member.Ports).ToList();
            var narrowed = partial.Endpoints.Select(endpoint => Get(endpoint.NetworkId).PublishesOn).FirstOrDefault(address => address is not null);
            joined = partial with { Ports = PortPicker.Pick([.. ports.Select(port => port.HostAddress.Length > 0 ? port : port with { HostAddress = narrowed ?? "" })], taken) };
            members = members.SetItem(wanted.Id, joined);
        }
        finally
        {
            gate.Release();
        }

        var place = await Task.Run(() => Connect(joined), stopping);
        if (joined.Ports.Count > 0)
        {
            await ApplyRulesAsync(stopping);
        }

        if (HasNames(joined))
        {
            await names.ApplyAsync(networks, [.. members.Values], stopping);
            await names.LeadAsync(joined, networks, place, stopping);
        }

        return (joined, place.FilePath);
    }

    /// <summary>Takes the container's namespace, cables, ports and names away. Idempotent.</summary>
    public async Task LeaveAsync(string containerId, CancellationToken stopping)
    {
        await gate.WaitAsync(stopping);
        NetworkMember? gone;
        try
        {
            if (members.TryGetValue(containerId, out gone))
            {
                GiveBack(gone);
                members = members.Remove(containerId);
            }
        }
        finally
        {
            gate.Release();
        }

        if (NetworkNamespace.Find(NamespaceName(containerId)) is not null)
        {
            NetworkNamespace.Delete(NamespaceName(containerId));
        }

        foreach (var endpoint in gone?.Endpoints ?? [])
        {
            if (endpoint.Addresses is { } addresses)
            {
                NetworkPlumbing.Disconnect(addresses);
            }
        }

        if (gone is { Ports.Count: > 0 })
        {
            await ApplyRulesAsync(stopping);
        }

        if (gone is not null && HasNames(gone))
        {
            await names.ApplyAsync(networks, [.. members.Values], stopping);
        }
    }

    /// <summary>Connects a container that runs to one more network.</summary>
    public async Task<NetworkMember> ConnectAsync(string containerId, NetworkEndpoint wanted, CancellationToken stopping)
    {
        NetworkMember changed;
        await gate.WaitAsync(stopping);
        try
        {
            var member = Member(containerId);
            var network = Get(wanted.NetworkName);
            if (member.Endpoints.Any(endpoint => endpoint.NetworkId == network.Id))
            {
                throw new NetworkException($"container {member.Names[0]} is already connected to network {network.Name}");
            }

            var place = NetworkNamespace.Named(NamespaceName(containerId));
            var used = member.Endpoints.Select(endpoint => endpoint.Addresses?.Interface).ToHashSet();
            var free = Enumerable.Range(0, used.Count + 1).Select(number => $"eth{number}").First(name => !used.Contains(name));
            var added = Address(wanted, network, containerId, free);
            try
            {
                await Task.Run(() => NetworkPlumbing.Connect(place, network, added.Addresses!, isDefault: !member.Endpoints.Any(IsWayOut)), stopping);
            }
            catch
            {
                Give(added);
                throw;
            }

            members = members.SetItem(containerId, changed = member with { Endpoints = [.. member.Endpoints, added] });
        }
        finally
        {
            gate.Release();
        }

        await FollowAsync(changed, stopping);
        return changed;
    }

    /// <summary>Takes a container that runs out of a network.</summary>
    public async Task<NetworkMember> DisconnectAsync(string containerId, string network, CancellationToken stopping)
    {
        NetworkMember changed;
        await gate.WaitAsync(stopping);
        try
        {
            var member = Member(containerId);
            var gone = member.Endpoints.FirstOrDefault(endpoint => endpoint.NetworkName == network || endpoint.NetworkId == network)
                ?? throw new NetworkException($"container {member.Names[0]} is not connected to network {network}") { IsMissing = true };
            NetworkPlumbing.Disconnect(gone.Addresses!);
            Give(gone);
            members = members.SetItem(containerId, changed = member with { Endpoints = [.. member.Endpoints.Where(endpoint => endpoint != gone)] });
            RestoreWayOut(changed);
        }
        finally
        {
            gate.Release();
        }

        await FollowAsync(changed, stopping);
        return changed;
    }

    /// <summary>A container has another name now.</summary>
    public async Task RenameAsync(string containerId, IReadOnlyList<string> newNames, CancellationToken stopping)
    {
        await gate.WaitAsync(stopping);
        try
        {
            if (members.TryGetValue(containerId, out var member))
            {
                members = members.SetItem(containerId, member with { Names = newNames });
            }
        }
        finally
        {
            gate.Release();
        }

        await names.ApplyAsync(networks, [.. members.Values], stopping);
    }

    private async Task FollowAsync(NetworkMember changed, CancellationToken stopping)
    {
        await ApplyRulesAsync(stopping);
        await names.ApplyAsync(networks, [.. members.Values], stopping);
        if (HasNames(changed))
        {
            await names.LeadAsync(changed, networks, NetworkNamespace.Named(NamespaceName(changed.Id)), stopping);
        }
    }

    private NetworkMember Member(string containerId) =>
        members.TryGetValue(containerId, out var found) ? found : throw new NetworkException($"container {containerId[..12]} is in no network of its own");

    private NetworkNamespace Connect(NetworkMember member)
    {
        var place = NetworkPlumbing.MakeNamespace(NamespaceName(member.Id), member.Ids);
        var wayOut = member.Endpoints.FirstOrDefault(IsWayOut);
        foreach (var endpoint in member.Endpoints)
        {
            NetworkPlumbing.Connect(place, Get(endpoint.NetworkId), endpoint.Addresses!, isDefault: endpoint == wayOut);
        }

        return place;
    }

    /// <summary>The way to everywhere went with its cable: the next network takes its place.</summary>
    private void RestoreWayOut(NetworkMember member)
    {
        if (member.Endpoints.FirstOrDefault(IsWayOut) is { } next)
        {
            NetworkPlumbing.LeadOut(NetworkNamespace.Named(NamespaceName(member.Id)), Get(next.NetworkId), next.Addresses!);
        }
    }

    private bool IsWayOut(NetworkEndpoint endpoint) => !Get(endpoint.NetworkId).Internal;

    /// <summary>Containers in the default network alone have addresses, and no names.</summary>
    private bool HasNames(NetworkMember member) => member.Endpoints.Any(endpoint => networks.Find(network => network.Id == endpoint.NetworkId) is { IsDefault: false });

    private NetworkEndpoint Address(NetworkEndpoint wanted, ContainerNetwork network, string containerId, string interfaceName)
    {
        var (four, six) = books[network.Id];
        var address = four.Take(wanted.WantedAddress);
        IPAddress? addressV6 = null;
        try
        {
            addressV6 = six?.Take(wanted.WantedAddressV6);
        }
        catch
        {
            four.Give(address.ToString());
            throw;
        }

        return wanted with
        {
            NetworkId = network.Id,
            NetworkName = network.Name,
            Addresses = new EndpointAddresses(
                Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)),
                interfaceName,
                NetworkPlumbing.HostInterface(options.DevicePrefix, containerId, network.Id),
                address.ToString(),
                four.PrefixLength,
                network.Internal ? "" : network.Range.Gateway,
                wanted.WantedMac ?? NetworkPlumbing.MacFor(address).ToString())
            {
                AddressV6 = addressV6?.ToString(),
                PrefixLengthV6 = six?.PrefixLength ?? 0,
                GatewayV6 = addressV6 is null || network.Internal ? null : network.RangeV6!.Gateway,
            },
        };
    }

    private void GiveBack(NetworkMember member)
    {
        foreach (var endpoint in member.Endpoints)
        {
            Give(endpoint);
        }
    }

    private void Give(NetworkEndpoint endpoint)
    {
        if (endpoint.Addresses is { } addresses && books.TryGetValue(endpoint.NetworkId, out var book))
        {
            book.Four.Give(addresses.Address);
            book.Six?.Give(addresses.AddressV6 ?? "");
        }
    }
}
