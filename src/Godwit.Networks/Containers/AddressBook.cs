using System.Net;
using System.Net.Sockets;

namespace Godwit.Networks.Containers;

/// <summary>The addresses of one range: who has which. An address that was given back comes last, so that late packets for its old holder meet nobody.</summary>
internal sealed class AddressBook
{
    private readonly IpRange subnet;
    private readonly IpRange pool;
    private readonly HashSet<IPAddress> taken = [];
    private UInt128 next;

    internal AddressBook(AddressRange range)
    {
        subnet = IpRange.Parse(range.Subnet);
        pool = range.Pool is null ? subnet : IpRange.Parse(range.Pool);
        taken.Add(IPAddress.Parse(range.Gateway));
    }

    internal int PrefixLength => subnet.PrefixLength;

    /// <exception cref="NetworkException">None is left, or the wanted one is not to be had.</exception>
    internal IPAddress Take(string? wanted)
    {
        if (wanted is not null)
        {
            var address = IPAddress.TryParse(wanted, out var parsed) && subnet.Contains(parsed) && IsUsable(parsed)
                ? parsed
                : throw new NetworkException($"the address {wanted} is none of {subnet}");
            return taken.Add(address) ? address : throw new NetworkException($"the address {wanted} is in use");
        }

        var count = pool.Count;
        for (UInt128 tries = 0; tries < count && tries <= (UInt128)taken.Count + 2; tries++)
        {
            var address = pool.At(next);
            next = (next + 1) % count;
            if (IsUsable(address) && taken.Add(address))
            {
                return address;
            }
        }

        throw new NetworkException($"no address is left in {pool}: remove containers, or make a larger network");
    }

    /// <summary>Notes what is in use already.</summary>
    internal void Restore(string address)
    {
        if (IPAddress.TryParse(address, out var parsed))
        {
            taken.Add(parsed);
        }
    }

    internal void Give(string address)
    {
        if (IPAddress.TryParse(address, out var parsed))
        {
            taken.Remove(parsed);
        }
    }

    /// <summary>The first address of a range names it, and the last of an IPv4 range is for all.</summary>
    private bool IsUsable(IPAddress address) => subnet.OffsetOf(address) is var offset && offset != 0 && (subnet.Family is AddressFamily.InterNetworkV6 || offset != subnet.Count - 1);
}
