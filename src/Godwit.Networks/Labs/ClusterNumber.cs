using System.Globalization;
using System.Net;
using Godwit.Linux;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Addressing;

namespace Godwit.Networks.Labs;

/// <summary>
/// K, by which clusters on one host are told apart: a lab's hosts are in 10.66.K.0/24, the guests in 10.(77+K).0.0/16, and the
/// tunnel's network identifier is 77+K. The host is a member of each, so no two may share one.
/// </summary>
public static class ClusterNumber
{
    /// <summary>Clusters on one host.</summary>
    public const int Count = 100;
    private const int FirstGuestNetwork = 77;
    private const int FirstServiceNetwork = 177;
    private const int ServiceNetworksInOne = 16;
    private const byte LabNetworks = 66;

    /// <summary>The lowest K of which no interface of this host has an address yet.</summary>
    /// <exception cref="LinuxException">All are in use, or the kernel refused to list addresses.</exception>
    public static byte ChooseFree()
    {
        using var host = RouteSocket.Open(NetworkNamespace.Own);
        return FindFree(host.ListAddresses().Select(address => address.Address))
            ?? throw new LinuxException($"find a free network for another cluster on this host: all {Count} below 10.66.0.0/16, or their guests' beside them, are in use; take one down first", Errno.EADDRINUSE);
    }

    public static Ipv4Network GuestNetwork(byte number) => Ipv4Network.Parse(string.Create(CultureInfo.InvariantCulture, $"10.{FirstGuestNetwork + number}.0.0/16"));

    /// <summary>The virtual addresses of services: 4096 in 10.(177 + K/16).0.0/16.</summary>
    public static Ipv4Network ServiceNetwork(byte number) =>
        Ipv4Network.Parse(string.Create(CultureInfo.InvariantCulture, $"10.{FirstServiceNetwork + (number / ServiceNetworksInOne)}.{number % ServiceNetworksInOne * 16}.0/20"));

    /// <summary>The guests' VXLAN network identifier.</summary>
    public static int GuestNetworkId(byte number) => FirstGuestNetwork + number;

    internal static byte? FindFree(IEnumerable<IPAddress> used)
    {
        var taken = new HashSet<int>();
        foreach (var bytes in used.Select(address => address.GetAddressBytes()))
        {
            if (bytes is [10, var second, var third, _])
            {
                taken.Add(second == LabNetworks ? third : second - FirstGuestNetwork);
            }
        }

        return Enumerable.Range(0, Count).Where(number => !taken.Contains(number)).Select(number => (byte?)number).FirstOrDefault();
    }
}
