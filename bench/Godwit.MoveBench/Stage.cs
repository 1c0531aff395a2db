using System.Net;
using Godwit.Linux.Commands;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Addressing;
using Godwit.Networks.Guests;
using Godwit.Networks.Labs;
using Godwit.Networks.Overlays;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.MoveBench;

/// <summary>
/// Two hosts and the guests' network for the systems that bring none of their own: the same shaped links and the same overlay as in
/// a lab of Godwit's, made by the same code, with a tap on each host for the one guest.
/// </summary>
internal sealed class Stage : IAsyncDisposable
{
    private const long PatienceSecondsMin = 20;

    /// <summary>What of the guest's memory is not zero.</summary>
    private const long CopyBytes = 340_000_000;

    private const string Instance = "mvb";
    private const int NetworkId = 4077;
    private const int Port = 4977;
    private static readonly OverlayNames Names = new("mvb");
    private static readonly OverlayNames ObserverNames = new("mvbo");
    private static readonly Ipv4Network Network = Ipv4Network.Parse("10.201.0.0/24");
    private static readonly IPAddress Gateway = IPAddress.Parse("10.201.0.1");
    private static readonly IPAddress Observer = IPAddress.Parse("10.201.0.254");

    private readonly LabNetwork lab = new(Instance, LabNetwork.ChooseSubnet(Instance));
    private readonly Overlay observer = new(NetworkNamespace.Own, TimeProvider.System, NullLogger<Overlay>.Instance);

    public static IPAddress Guest { get; } = IPAddress.Parse("10.201.0.10");

    public static MacAddress GuestMac { get; } = MacAddress.Parse("52:54:00:79:00:10");

    public static string TapName { get; } = Names.Tap("guest");

    /// <summary>For the kernel's command line of the guest.</summary>
    public static string AddressArgument => $"ip={Guest}::{Gateway}:255.255.255.0:tiny:eth0:off";

    public static async Task<Stage> BuildAsync(CancellationToken stopping)
    {
        var stage = new Stage();
        stage.lab.Ensure(2, LinkRate.Unlimited);
        IPAddress[] members = [stage.lab.HostAddress, stage.lab.NodeAddress(1), stage.lab.NodeAddress(2)];
        for (var number = 1; number <= 2; number++)
        {
            var place = stage.lab.Place(number);
            await new Overlay(place, TimeProvider.System, NullLogger<Overlay>.Instance).ApplyAsync(State(Names, stage.lab.NodeAddress(number), members, isNode: true), stopping);
            var ports = new GuestPorts(place, Names, TimeProvider.System);
            await ports.CreateAsync(new GuestPort(TapName, GuestMac, Guest, 0), stopping);
            ports.Admit(TapName, GuestMac);
        }

        await stage.observer.ApplyAsync(State(ObserverNames, stage.lab.HostAddress, members, isNode: false), stopping);
        return stage;
    }

    public void SetRate(LinkRate rate)
    {
        lab.SetRate(2, rate);
        var copySeconds = rate.IsUnlimited ? 0 : CopyBytes / rate.BytesPerSecond;
        Patience = TimeSpan.FromSeconds(Math.Max(PatienceSecondsMin, 2 * copySeconds));
    }

    /// <summary>For how long a system may try: a writer that outruns the link never ends by itself. Twice what one copy takes.</summary>
    public TimeSpan Patience { get; private set; } = TimeSpan.FromSeconds(PatienceSecondsMin);

    /// <summary>Hosts are counted from 1.</summary>
    public NetworkNamespace Place(int host) => lab.Place(host);

    public IPAddress Address(int host) => lab.NodeAddress(host);

    public ulong SentBytes(int host) => SentBytes(lab.Place(host));

    /// <summary>What has left a lab node's only link so far.</summary>
    public static ulong SentBytes(NetworkNamespace place)
    {
        using var routes = RouteSocket.Open(place);
        return routes.GetLink("uplink").Statistics.SentBytes;
    }

    public async ValueTask DisposeAsync()
    {
        await observer.RemoveAsync(ObserverNames, CancellationToken.None);
        lab.Remove();
    }

    private static OverlayState State(OverlayNames names, IPAddress underlay, IReadOnlyList<IPAddress> members, bool isNode) => new()
    {
        Names = names,
        NetworkId = NetworkId,
        Port = Port,
        UnderlayAddress = underlay,
        Network = Network,
        Gateway = Gateway,
        IsGateway = isNode,
        ObserverAddress = isNode ? null : Observer,
        Members = members,
    };
}

/// <summary>Keeps memory warm between moves; see tools/holder.c.</summary>
internal sealed class Holder : IAsyncDisposable
{
    private readonly System.Diagnostics.Process process;

    private Holder(System.Diagnostics.Process process) => this.process = process;

    public static async Task<Holder> StartAsync(int memoryMiB, CancellationToken stopping)
    {
        var holder = new Holder(Tools.Start(await Tools.CompileAsync("holder", stopping), $"{memoryMiB}"));
        await holder.AnswerAsync(stopping);
        return holder;
    }

    /// <summary>Gives the memory to whoever asks next.</summary>
    public Task ReleaseAsync(CancellationToken stopping) => TellAsync("release", stopping);

    /// <summary>Takes back what a finished source has freed.</summary>
    public Task TakeAsync(CancellationToken stopping) => TellAsync("take", stopping);

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private async Task TellAsync(string word, CancellationToken stopping)
    {
        await process.StandardInput.WriteLineAsync(word.AsMemory(), stopping);
        await process.StandardInput.FlushAsync(stopping);
        await AnswerAsync(stopping);
    }

    private async Task AnswerAsync(CancellationToken stopping)
    {
        if (await process.StandardOutput.ReadLineAsync(stopping) != "ok")
        {
            throw new IOException("The holder ended: is there memory for it?");
        }
    }
}
