using System.Collections.Concurrent;
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
/// <para>
/// A cluster has no address on the host for its first moments, in which another that starts would choose the same number. So who chooses one also holds
/// a lock on it until its process has ended: by then the address is there, or the cluster is not.
/// </para>
/// </summary>
public static class ClusterNumber
{
    /// <summary>Clusters on one host.</summary>
    public const int Count = 100;
    private const int FirstGuestNetwork = 77;
    private const int FirstServiceNetwork = 177;
    private const int ServiceNetworksInOne = 16;
    private const byte LabNetworks = 66;
    private const string LocksFolder = "/run/godwit-clusters";

    /// <summary>Kept open until this process ends.</summary>
    private static readonly ConcurrentBag<FileStream> Locks = [];

    /// <summary>The lowest K of which no interface of this host has an address yet and that no other process has just chosen. Each call chooses another.</summary>
    /// <exception cref="LinuxException">All are in use, the kernel refused to list addresses, or no lock can be made.</exception>
    public static byte ChooseFree()
    {
        using var host = RouteSocket.Open(NetworkNamespace.Own);
        return FindFree(host.ListAddresses().Select(address => address.Address), TryLock)
            ?? throw new LinuxException($"find a free network for another cluster on this host: all {Count} below 10.66.0.0/16, or their guests' beside them, are in use; take one down first", Errno.EADDRINUSE);
    }

    public static Ipv4Network GuestNetwork(byte number) => Ipv4Network.Parse(string.Create(CultureInfo.InvariantCulture, $"10.{FirstGuestNetwork + number}.0.0/16"));

    /// <summary>The virtual addresses of services: 4096 in 10.(177 + K/16).0.0/16.</summary>
    public static Ipv4Network ServiceNetwork(byte number) =>
        Ipv4Network.Parse(string.Create(CultureInfo.InvariantCulture, $"10.{FirstServiceNetwork + (number / ServiceNetworksInOne)}.{number % ServiceNetworksInOne * 16}.0/20"));

    /// <summary>The guests' VXLAN network identifier.</summary>
    public static int GuestNetworkId(byte number) => FirstGuestNetwork + number;

    /// <param name="used">Addresses that this host has.</param>
    /// <param name="tryTake">Asked of each that is free by its addresses, lowest first, until one is taken.</param>
    internal static byte? FindFree(IEnumerable<IPAddress> used, Func<byte, bool> tryTake)
    {
        var taken = new HashSet<int>();
        foreach (var bytes in used.Select(address => address.GetAddressBytes()))
        {
            if (bytes is [10, var second, var third, _])
            {
                taken.Add(second == LabNetworks ? third : second - FirstGuestNetwork);
            }
        }

        return Enumerable.Range(0, Count).Where(number => !taken.Contains(number) && tryTake((byte)number)).Select(number => (byte?)number).FirstOrDefault();
    }

    private static bool TryLock(byte number)
    {
        var path = Path.Combine(LocksFolder, number.ToString(CultureInfo.InvariantCulture));
        try
        {
            Directory.CreateDirectory(LocksFolder);
            Locks.Add(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None)); // On Linux an flock(2).
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            throw new LinuxException($"lock the number of a cluster by {path}", Errno.EACCES);
        }
        catch (IOException) when (File.Exists(path))
        {
            return false; // Another process holds it.
        }
        catch (IOException refusal)
        {
            throw new LinuxException($"lock the number of a cluster by {path} ({refusal.Message})", Errno.EIO);
        }
    }
}
