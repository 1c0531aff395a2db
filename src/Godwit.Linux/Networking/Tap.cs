using System.Text;
using Godwit.Linux.Native;
using Godwit.Linux.Netlink;

namespace Godwit.Linux.Networking;

/// <summary>Tap devices that outlive who made them and that one user may open (tuntap, the kernel's Documentation/networking/tuntap.rst).</summary>
public static unsafe class Tap
{
    private const string Control = "/dev/net/tun";
    private const int RequestLength = 40; // struct ifreq
    private const nuint TUNSETIFF = 0x400454ca;
    private const nuint TUNSETPERSIST = 0x400454cb;
    private const nuint TUNSETOWNER = 0x400454cc;
    private const short IFF_TAP = 0x0002;
    private const short IFF_NO_PI = 0x1000;
    private const short IFF_VNET_HDR = 0x4000;

    /// <summary>Makes a persistent tap whose frames carry the virtio header, or takes the one that exists, and gives it to its owner.</summary>
    /// <exception cref="LinuxException"><see cref="Errno.EBUSY"/>: a process holds it open. <see cref="Errno.EINVAL"/>: a device of this name is no such tap.</exception>
    public static void Create(string name, uint ownerUserId, NetworkNamespace place)
    {
        var bytes = Encoding.ASCII.GetBytes(name);
        if (bytes.Length is 0 or > RouteSocket.LinkNameLengthMax)
        {
            throw new ArgumentException($"'{name}' is no name for a tap: 1 to {RouteSocket.LinkNameLengthMax} letters", nameof(name));
        }

        place.Run(() =>
        {
            using var tap = Descriptor.Open(Control, OpenFlags.O_RDWR);
            var request = stackalloc byte[RequestLength];
            new Span<byte>(request, RequestLength).Clear();
            bytes.CopyTo(new Span<byte>(request, RequestLength));
            *(short*)(request + 16) = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
            Check(LibC.IoCtl(tap.Value, TUNSETIFF, request), $"make tap {name}");
            Check(LibC.IoCtl(tap.Value, TUNSETOWNER, (void*)ownerUserId), $"give tap {name} to user {ownerUserId}");
            Check(LibC.IoCtl(tap.Value, TUNSETPERSIST, (void*)1), $"keep tap {name}");
        });
    }

    private static void Check(int result, string attempt)
    {
        if (result != 0)
        {
            throw LinuxException.FromLastCall(attempt);
        }
    }
}
