using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Godwit.Networks.Containers;

/// <summary>Chooses the host's ports for published ones: none that another container has, none that a program of the host listens on.</summary>
internal static class PortPicker
{
    private const int FreeFirst = 32768;
    private const int FreeLast = 60999;

    /// <exception cref="NetworkException">The wanted port, or each of the range, is in use; or nothing could ever answer there.</exception>
    internal static IReadOnlyList<PortBinding> Pick(IReadOnlyList<PortRequest> wanted, IReadOnlyCollection<PortBinding> taken)
    {
        var picked = new List<PortBinding>();
        foreach (var port in wanted)
        {
            if (port.HostAddress.Length > 0 && IPAddress.Parse(port.HostAddress).Equals(IPAddress.IPv6Loopback))
            {
                throw new NetworkException($"cannot publish port {port.ContainerPort}/{port.Protocol} on [::1]: the kernel leads nothing from there into a network. To have it for this host alone, publish it on 127.0.0.1") { IsInvalid = true };
            }

            var addresses = port.HostAddress.Length > 0 ? [port.HostAddress] : new[] { "0.0.0.0", "::" };
            var number = Candidates(port).FirstOrDefault(candidate => addresses.All(address => IsFree(address, candidate, port.Protocol, [.. taken, .. picked])));
            if (number == 0)
            {
                var shown = port.HostPortLast > port.HostPort ? $"{port.HostPort}-{port.HostPortLast}" : $"{port.HostPort}";
                throw new NetworkException($"cannot publish port {port.ContainerPort}/{port.Protocol}: port is already allocated ({shown} of {string.Join(" and ", addresses)})");
            }

            picked.AddRange(addresses.Select(address => new PortBinding(port.ContainerPort, port.Protocol, address, (ushort)number)));
        }

        return picked;
    }

    private static IEnumerable<int> Candidates(PortRequest port)
    {
        if (port.HostPort > 0)
        {
            return Enumerable.Range(port.HostPort, Math.Max(1, port.HostPortLast - port.HostPort + 1));
        }

        const int count = FreeLast - FreeFirst + 1;
        var start = RandomNumberGenerator.GetInt32(count);
        return Enumerable.Range(0, count).Select(offset => FreeFirst + ((start + offset) % count));
    }

    private static bool IsFree(string address, int port, string protocol, IReadOnlyCollection<PortBinding> taken)
    {
        var wanted = IPAddress.Parse(address);
        if (taken.Any(one => one.HostPort == port && one.Protocol == protocol && Meet(wanted, IPAddress.Parse(one.HostAddress))))
        {
            return false;
        }

        try
        {
            using var socket = new Socket(wanted.AddressFamily, protocol == "udp" ? SocketType.Dgram : SocketType.Stream, protocol == "udp" ? ProtocolType.Udp : ProtocolType.Tcp);
            if (wanted.AddressFamily is AddressFamily.InterNetworkV6)
            {
                socket.DualMode = false;
            }

            socket.ExclusiveAddressUse = true;
            socket.Bind(new IPEndPoint(wanted, port));
            return true;
        }
        catch (SocketException refusal)
        {
            // A host without IPv6 has nothing of it in use either.
            return refusal.SocketErrorCode is SocketError.AddressFamilyNotSupported
                || (refusal.SocketErrorCode is SocketError.AddressNotAvailable && wanted.Equals(IPAddress.IPv6Any));
        }
    }

    private static bool Meet(IPAddress left, IPAddress right) =>
        left.AddressFamily == right.AddressFamily && (left.Equals(right) || IsAny(left) || IsAny(right));

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}

/// <summary>A port to publish.</summary>
/// <param name="HostAddress">Empty: all.</param>
/// <param name="HostPort">0: a free one.</param>
/// <param name="HostPortLast">End of a range to choose from; 0 without.</param>
public sealed record PortRequest(ushort ContainerPort, string Protocol, string HostAddress, ushort HostPort, ushort HostPortLast = 0);
