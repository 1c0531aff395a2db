using System.Collections.Concurrent;
using System.Threading.Channels;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Linux.Networking;
using Godwit.Machines;
using Godwit.Networks.Names;
using Godwit.Networks.Overlays;
using Microsoft.Extensions.Logging;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Networking;

/// <summary>The caches that the overlay follows.</summary>
internal sealed record OverlayCaches(ResourceCache<ConfigMap> Settings, ResourceCache<KubeNode> Nodes, ResourceCache<VirtualMachineInstance> Guests);

/// <summary>
/// Keeps this host's part of the guests' network as the API says: tunnel members, guests' places, addresses and names.
/// One loop applies; whatever changed, it applies all. While the server is away, what was applied last stays.
/// </summary>
internal sealed partial class OverlaySync
{
    private static readonly TimeSpan RepairInterval = TimeSpan.FromMinutes(1);
    private static readonly Backoff RetryBackoff = new(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(15));

    private readonly OverlayMember self;
    private readonly OverlayCaches caches;
    private readonly Overlay overlay;
    private readonly NodeNames? names;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Channel<bool> changed = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ConcurrentQueue<TaskCompletionSource> waiting = new();
    private readonly ConcurrentDictionary<MacAddress, MachineId> plugged = new();
    private readonly TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="self">Which member this host is.</param>
    /// <param name="caches">What it follows.</param>
    /// <param name="names">Gives guests addresses and names; a member that is no node has none.</param>
    public OverlaySync(OverlayMember self, OverlayCaches caches, NodeNames? names, TimeProvider time, ILoggerFactory loggers)
    {
        this.self = self;
        this.caches = caches;
        this.names = names;
        this.time = time;
        logger = loggers.CreateLogger<OverlaySync>();
        overlay = new Overlay(NetworkNamespace.Own, time, loggers.CreateLogger<Overlay>());
        caches.Settings.Subscribe(_ => Wake());
        caches.Nodes.Subscribe(_ => Wake());
        caches.Guests.Subscribe(_ => Wake());
    }

    /// <summary>Ends when the overlay stands for the first time.</summary>
    public Task Ready => ready.Task;

    /// <summary>Called when what is built on the network has changed: <see cref="Network"/> or <see cref="StationAddress"/>. For one listener.</summary>
    public Action? Applied { get; set; }

    /// <summary>The network as it was applied last; null before it stands.</summary>
    public ClusterNetwork? Network { get; private set; }

    /// <summary>This node's own address on the network, as it was applied last; null as long as it has none.</summary>
    public System.Net.IPAddress? StationAddress { get; private set; }

    /// <summary>Gives these stations their addresses here although the API does not place them here; until <see cref="Forget"/>.</summary>
    public void Expect(MachineId machine, MacAddress mac) => plugged[mac] = machine;

    public void Forget(MachineId machine)
    {
        foreach (var (mac, _) in plugged.Where(entry => entry.Value == machine))
        {
            plugged.TryRemove(mac, out _);
        }

        Wake();
    }

    /// <summary>Returns when what is known now has been applied.</summary>
    public Task ApplyNowAsync(CancellationToken stopping)
    {
        var applied = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        waiting.Enqueue(applied);
        Wake();
        return applied.Task.WaitAsync(stopping);
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            await Task.WhenAll(caches.Settings.WaitForSyncAsync(stopping), caches.Nodes.WaitForSyncAsync(stopping), caches.Guests.WaitForSyncAsync(stopping));
            await FollowAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
        }
    }

    private void Wake() => changed.Writer.TryWrite(true);

    private async Task FollowAsync(CancellationToken stopping)
    {
        for (var failures = 0; !stopping.IsCancellationRequested;)
        {
            while (changed.Reader.TryRead(out _))
            {
                // What woke us is in the caches; all of it is applied at once.
            }

            var answered = Math.Max(waiting.Count, 0);
            var pause = RepairInterval;
            Exception? trouble = null;
            try
            {
                await ApplyAsync(stopping);
                failures = 0;
                ready.TrySetResult();
            }
            catch (Exception error) when (error is not OperationCanceledException || !stopping.IsCancellationRequested)
            {
                pause = RetryBackoff.DelayFor(failures++, Random.Shared.NextDouble());
                Log.NotApplied(logger, pause.TotalMilliseconds, ErrorChain.Describe(error));
                trouble = error;
            }

            Answer(answered, trouble);
            await WaitForChangeAsync(pause, isTrouble: trouble is not null, stopping);
        }
    }

    private void Answer(int count, Exception? trouble)
    {
        for (; count > 0 && waiting.TryDequeue(out var waiter); count--)
        {
            if (trouble is null)
            {
                waiter.TrySetResult();
            }
            else
            {
                waiter.TrySetException(new MachineException("The guests' network cannot be set up on this host", trouble));
            }
        }
    }

    /// <summary>Until something changes, the name service ends, or the pause is over; after trouble only the pause counts.</summary>
    private async Task WaitForChangeAsync(TimeSpan pause, bool isTrouble, CancellationToken stopping)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var waits = new List<Task> { Task.Delay(pause, time, over.Token) };
        if (!isTrouble)
        {
            waits.Add(changed.Reader.WaitToReadAsync(over.Token).AsTask());
            waits.Add(names?.Ended ?? Task.Delay(Timeout.InfiniteTimeSpan, time, over.Token));
        }

        await Task.WhenAny(waits);
        await over.CancelAsync();
    }

    private async Task ApplyAsync(CancellationToken stopping)
    {
        if (caches.Settings.Current.Find(ClusterNetwork.SettingsKey) is not { } settings)
        {
            throw new FormatException($"The ConfigMap {ClusterNetwork.SettingsKey} does not exist; the server makes it at its first start.");
        }

        var facts = new OverlayFacts(ClusterNetwork.Parse(settings), [.. caches.Nodes.Current.Items], [.. caches.Guests.Current.Items]);
        var state = OverlayPlan.StateOf(self, facts);
        await overlay.ApplyAsync(state, stopping);
        var isNews = Network is null || !facts.Network.ServiceRanges.SequenceEqual(Network.ServiceRanges) || !Equals(StationAddress, state.StationAddress);
        (Network, StationAddress) = (facts.Network, state.StationAddress);
        if (isNews)
        {
            Applied?.Invoke();
        }

        if (names is not null && self.Node is { } node)
        {
            var wanted = new NameServiceSettings
            {
                Folder = names.Folder,
                BridgeName = state.Names.Bridge,
                Network = facts.Network.Network,
                Gateway = facts.Network.Gateway,
                MtuBytes = facts.Network.MtuBytes,
                Domain = facts.Network.Domain,
                ClusterDomain = facts.Network.ClusterDomain,
            };
            await names.ApplyGuestsAsync(wanted, OverlayPlan.NamesOf(node, facts, plugged.Keys.ToHashSet()), stopping);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2401, Level = LogLevel.Warning, Message = "The guests' network is not as it should be, next try in {DelayMs} ms: {Reason}")]
        public static partial void NotApplied(ILogger logger, double delayMs, string reason);
    }
}
