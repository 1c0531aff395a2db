using Godwit.Linux.Networking;

namespace Godwit.Linux.Netlink;

/// <summary>A network device as the kernel described it at one moment.</summary>
public sealed record Link
{
    /// <summary>Names it in its namespace for as long as it lives.</summary>
    public required int Index { get; init; }

    public required string Name { get; init; }

    /// <summary>The driver's word: <c>bridge</c>, <c>veth</c>, <c>vxlan</c>, <c>tun</c>; empty for hardware.</summary>
    public string Kind { get; init; } = "";

    public MacAddress Mac { get; init; }

    public int MtuBytes { get; init; }

    /// <summary>Switched on by its administrator.</summary>
    public bool IsUp { get; init; }

    /// <summary>Has somebody at the other end.</summary>
    public bool HasCarrier { get; init; }

    /// <summary>The bridge that it is a port of.</summary>
    public int? MasterIndex { get; init; }

    /// <summary>Set for a VXLAN device.</summary>
    public VxlanSettings? Vxlan { get; init; }

    public LinkStatistics Statistics { get; init; }
}

/// <summary>What a device has carried since it was made, from the host's view: a guest receives what its tap sent.</summary>
public readonly record struct LinkStatistics(ulong ReceivedPackets, ulong SentPackets, ulong ReceivedBytes, ulong SentBytes, ulong ReceiveDropped, ulong SendDropped);

/// <summary>A change of a device; what is null stays.</summary>
public sealed record LinkChange
{
    public bool? IsUp { get; init; }

    /// <summary>The bridge to join; zero leaves the present one.</summary>
    public int? MasterIndex { get; init; }

    /// <summary>Whether the bridge that it is a port of may send a frame back out of it (hairpin mode).</summary>
    public bool? SendsBack { get; init; }

    public int? MtuBytes { get; init; }

    public MacAddress? Mac { get; init; }

    /// <summary>Most devices must be down to be renamed.</summary>
    public string? NewName { get; init; }

    /// <summary>Where it moves to; it arrives down, without addresses.</summary>
    public NetworkNamespace? NewPlace { get; init; }
}

/// <summary>A VXLAN tunnel end (RFC 7348).</summary>
/// <param name="NetworkId">The 24-bit VNI.</param>
/// <param name="Port">UDP port, the same at every end.</param>
/// <param name="LocalAddress">This end's underlay address.</param>
/// <param name="Learning">Whether it notes which end a MAC address was last heard from.</param>
public sealed record VxlanSettings(int NetworkId, int Port, System.Net.IPAddress LocalAddress, bool Learning);
