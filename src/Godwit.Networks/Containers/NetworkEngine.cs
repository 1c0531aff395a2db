using System.Collections.Immutable;
using Godwit.Linux.Networking;
using Microsoft.Extensions.Logging;

namespace Godwit.Networks.Containers;

/// <summary>
/// The container networks of one host. What there is of them outlives the engine: bridges, cables, the packet filter and name servers need nobody. What is to be remembered
/// lies in two places: a network in its own file, a container's place in it in the container's record, from which <see cref="RestoreAsync"/> learns it again.
/// <code>
///   container's namespace                host
///   eth0 172.17.0.2 ─────cable───── godwit.1a2b3c ── bridge godwit0 172.17.0.1 ── filter table ── outside
///   127.0.0.11:53 ──DNAT──▶ dnsmasq of this set of networks, on the bridge's address
/// </code>
/// </summary>
public sealed partial class NetworkEngine : IAsyncDisposable
{
    private readonly NetworkEngineOptions options;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly NetworkStore store;
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly Dictionary<string, (AddressBook Four, AddressBook? Six)> books = new(StringComparer.Ordinal);
    private readonly RuleKeeper rules;
    private readonly NetworkNames names;
    private ImmutableDictionary<string, NetworkMember> members = ImmutableDictionary<string, NetworkMember>.Empty;
    private ImmutableList<ContainerNetwork> networks = [];

    private NetworkEngine(NetworkEngineOptions options, TimeProvider time, ILogger log)
    {
        this.options = options;
        this.time = time;
        this.log = log;
        store = new NetworkStore(options.Folder);
        rules = new RuleKeeper(time);
        names = new NetworkNames(options, time, log);
    }

    /// <summary>Opens the networks of this folder, with the default one, and makes their bridges where they are not.</summary>
    public static async Task<NetworkEngine> OpenAsync(NetworkEngineOptions options, TimeProvider time, ILogger log, CancellationToken stopping)
    {
        var engine = new NetworkEngine(options, time, log);
        NetworkNamespace.ShareNames();
        KernelSetting.TrySet(NetworkNamespace.Own, "ipv4/ip_forward", "1");
        engine.networks = [.. engine.store.Load()];
        if (options.HasDefaultNetwork && !engine.networks.Any(network => network.IsDefault))
        {
            var planned = NetworkPlanner.Plan(new ContainerNetworkRequest { Name = options.DefaultNetwork }, options, engine.networks, NetworkPlumbing.ListRouted(), time.GetUtcNow());
            var made = planned with { Bridge = options.DevicePrefix + "0", IsDefault = true };
            engine.store.Save(made);
            engine.networks = engine.networks.Add(made);
        }

        foreach (var network in engine.networks)
        {
            NetworkPlumbing.EnsureBridge(network);
            engine.books[network.Id] = NewBook(network);
        }

        await engine.ApplyRulesAsync(stopping);
        return engine;
    }

    /// <summary>Who is in which network, as containers' records say; told once, before anything else is asked.</summary>
    public async Task RestoreAsync(IReadOnlyList<NetworkMember> known, CancellationToken stopping)
    {
        await gate.WaitAsync(stopping);
        try
        {
            foreach (var member in known)
            {
                foreach (var endpoint in member.Endpoints.Where(endpoint => endpoint.Addresses is not null && books.ContainsKey(endpoint.NetworkId)))
                {
                    var (four, six) = books[endpoint.NetworkId];
                    four.Restore(endpoint.Addresses!.Address);
                    six?.Restore(endpoint.Addresses.AddressV6 ?? "");
                }

                members = members.SetItem(member.Id, member);
            }
        }
        finally
        {
            gate.Release();
        }

        await ApplyRulesAsync(stopping);
        await names.ApplyAsync(networks, [.. members.Values], stopping);
    }

    public IReadOnlyList<ContainerNetwork> List() => networks;

    /// <summary>Who is in a network now.</summary>
    public IReadOnlyList<(string ContainerId, string Name, EndpointAddresses Addresses)> ListMembers(string networkId) =>
    [
        .. from member in members.Values
           from endpoint in member.Endpoints
           where endpoint.NetworkId == networkId && endpoint.Addresses is not null
           select (member.Id, member.Names[0], endpoint.Addresses),
    ];

    /// <summary>By name, id, or the beginning of an id that is no other's.</summary>
    /// <exception cref="NetworkException">There is none.</exception>
    public ContainerNetwork Get(string nameOrId)
    {
        var found = networks.Find(network => network.Name == nameOrId || network.Id == nameOrId);
        if (found is null && nameOrId.Length >= 4 && networks.Where(network => network.Id.StartsWith(nameOrId, StringComparison.Ordinal)).Take(2).ToList() is [var only])
        {
            found = only;
        }

        return found ?? throw new NetworkException($"network {nameOrId} not found") { IsMissing = true };
    }

    /// <exception cref="NetworkException">It cannot be as asked; nothing was made.</exception>
    public async Task<ContainerNetwork> CreateAsync(ContainerNetworkRequest request, CancellationToken stopping)
    {
        await gate.WaitAsync(stopping);
        ContainerNetwork made;
        try
        {
            if (networks.Exists(network => network.Name == request.Name) || request.Name is "host" or "none")
            {
                throw new NetworkException($"network with name {request.Name} already exists");
            }

            made = NetworkPlanner.Plan(request, options, networks, NetworkPlumbing.ListRouted(), time.GetUtcNow());
            store.Save(made); // First: a disk that is full leaves no device behind, and of what is saved the next engine makes the bridge.
            EnsureBridgeOf(made);
            books[made.Id] = NewBook(made);
            networks = networks.Add(made);
        }
        finally
        {
            gate.Release();
        }

        await ApplyRulesAsync(stopping);
        return made;
    }

    /// <exception cref="NetworkException">It is the default one, or somebody is in it.</exception>
    public async Task RemoveAsync(string nameOrId, CancellationToken stopping)
    {
        await gate.WaitAsync(stopping);
        try
        {
            var gone = Get(nameOrId);
            if (gone.IsDefault)
            {
                throw new NetworkException($"{gone.Name} is a pre-defined network and cannot be removed");
            }

            var inside = ListMembers(gone.Id);
            if (inside.Count > 0)
            {
                throw new NetworkException($"network {gone.Name} has active endpoints ({string.Join(", ", inside.Select(member => member.Name))}): disconnect them before");
            }

            store.Delete(gone.Id);
            networks = networks.Remove(gone);
            books.Remove(gone.Id);
            NetworkPlumbing.RemoveBridge(gone);
        }
        finally
        {
            gate.Release();
        }

        await ApplyRulesAsync(stopping);
        await names.ApplyAsync(networks, [.. members.Values], stopping);
    }

    /// <summary>Removes networks that nobody is in and that the filter takes.</summary>
    public async Task<IReadOnlyList<string>> PruneAsync(Func<ContainerNetwork, bool> filter, CancellationToken stopping)
    {
        var removed = new List<string>();
        foreach (var network in networks.Where(network => !network.IsDefault && filter(network) && ListMembers(network.Id).Count == 0))
        {
            try
            {
                await RemoveAsync(network.Id, stopping);
                removed.Add(network.Name);
            }
            catch (NetworkException)
            {
                // Somebody came in meanwhile.
            }
        }

        return removed;
    }

    /// <summary>Takes devices, filter and name servers away; containers that run lose their network. The networks stay known.</summary>
    public async Task RemoveFromHostAsync(CancellationToken stopping)
    {
        await names.StopAllAsync(stopping);
        await Nftables.ApplyAsync(ContainerRules.Remove(options.FilterTable), NetworkNamespace.Own, time, stopping);
        foreach (var network in networks)
        {
            NetworkPlumbing.RemoveBridge(network);
        }
    }

    /// <summary>The same, where nobody is in a network; they come back when they are opened again.</summary>
    public Task RemoveUnusedFromHostAsync(CancellationToken stopping) => members.IsEmpty ? RemoveFromHostAsync(stopping) : Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        names.Dispose();
        await rules.DisposeAsync();
        gate.Dispose();
    }

    private void EnsureBridgeOf(ContainerNetwork made)
    {
        try
        {
            NetworkPlumbing.EnsureBridge(made);
        }
        catch
        {
            store.Delete(made.Id); // A device that there was before under this name is not ours to remove.
            throw;
        }
    }

    private static (AddressBook Four, AddressBook? Six) NewBook(ContainerNetwork network) => (new(network.Range), network.RangeV6 is null ? null : new AddressBook(network.RangeV6));

    private Task ApplyRulesAsync(CancellationToken stopping) => rules.ApplyAsync(() => ContainerRules.Build(options.FilterTable, networks, Targets()), stopping);

    private IReadOnlyList<PublishedTarget> Targets() =>
    [
        .. from member in members.Values.OrderBy(member => member.Id, StringComparer.Ordinal)
           let first = member.Endpoints.FirstOrDefault(endpoint => endpoint.Addresses is not null)
           where first is not null
           from port in member.Ports
           select new PublishedTarget(port, first.Addresses!.Address, first.Addresses.AddressV6),
    ];
}
