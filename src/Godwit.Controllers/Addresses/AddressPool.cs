using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Godwit.Controllers.Addresses;

/// <summary>The guests' network as the ConfigMap kube-system/godwit-network states it: one IPv4 range and the gateway in it.</summary>
internal sealed class AddressPool
{
    public const string SettingsName = NetworkSettings.Name;

    /// <summary>A range with fewer host bits than this has no room for guests.</summary>
    private const int HostBitsMin = 2;

    private const int HostBitsMax = 24;

    private readonly uint first;
    private readonly uint count;
    private readonly uint gateway;
    private readonly uint? observer;

    private AddressPool(uint first, uint count, uint gateway, uint? observer) =>
        (this.first, this.count, this.gateway, this.observer) = (first, count, gateway, observer);

    /// <summary>How many guests it can hold: all but the gateway and, where one is named, the observer.</summary>
    public long Capacity => count - (observer is null || observer == gateway ? 1 : 2);

    /// <summary>The address that nobody is given: the gateway's, or where there is none the range's first.</summary>
    public string Router => Format(gateway);

    /// <param name="settings">The ConfigMap.</param>
    /// <param name="pool">The pool, when the settings make one.</param>
    /// <param name="error">What is wrong with the settings, for people.</param>
    public static bool TryRead(ConfigMap? settings, out AddressPool pool, out string error)
    {
        pool = new AddressPool(0, 1, 0, null);
        if (settings is null)
        {
            error = $"the ConfigMap {NamespaceNames.KubeSystem}/{SettingsName} does not exist: it states the guests' network";
            return false;
        }

        var cidr = settings.Data.GetValueOrDefault("cidr") ?? "";
        if (!TryParseCidr(cidr, out var network, out var hostBits))
        {
            error = $"'{cidr}' in {NamespaceNames.KubeSystem}/{SettingsName} is no IPv4 range with {HostBitsMin} to {HostBitsMax} host bits, such as 10.77.0.0/16";
            return false;
        }

        var size = 1u << hostBits;
        var gatewayText = settings.Data.GetValueOrDefault("gateway");
        var router = network + 1;
        if (!string.IsNullOrEmpty(gatewayText) && (!TryParse(gatewayText, out router) || router - network >= size))
        {
            error = $"the gateway '{gatewayText}' in {NamespaceNames.KubeSystem}/{SettingsName} is no address inside {cidr}";
            return false;
        }

        // Whoever probes moving guests has an address among them.
        uint? reserved = null;
        if (settings.Data.GetValueOrDefault("observer") is { Length: > 0 } observerText)
        {
            if (!TryParse(observerText, out var named) || named - network >= size)
            {
                error = $"the observer '{observerText}' in {NamespaceNames.KubeSystem}/{SettingsName} is no address inside {cidr}";
                return false;
            }

            reserved = named;
        }

        pool = new AddressPool(network + 1, size - 2, router, reserved); // Neither the network's own address nor the broadcast.
        error = "";
        return true;
    }

    /// <summary>True when a guest may have this address.</summary>
    public bool Contains(string address) => TryParse(address, out var value) && value - first < count && value != gateway && value != observer;

    /// <summary>
    /// A free address, the same for the same identity while it is free: the search begins at a place drawn from the
    /// identity, so that an address just given back is not at once given to another, and a restarted guest mostly finds its own.
    /// </summary>
    /// <param name="identity">Who asks.</param>
    /// <param name="isTaken">Whether somebody has the address.</param>
    /// <returns>Null when the pool is exhausted.</returns>
    public string? FindFree(string identity, Func<string, bool> isTaken)
    {
        var start = BinaryPrimitives.ReadUInt32BigEndian(Digest(identity)) % count;
        for (var step = 0u; step < count; step++)
        {
            var candidate = first + ((start + step) % count);
            if (candidate != gateway && candidate != observer && Format(candidate) is var address && !isTaken(address))
            {
                return address;
            }
        }

        return null;
    }

    /// <summary>A locally administered unicast MAC drawn from an identity; <paramref name="attempt"/> gives another one after a clash.</summary>
    public static string MacFor(string identity, int attempt)
    {
        var digest = Digest(attempt == 0 ? identity : $"{identity}#{attempt.ToString(CultureInfo.InvariantCulture)}");
        return string.Create(CultureInfo.InvariantCulture, $"02:{digest[0]:x2}:{digest[1]:x2}:{digest[2]:x2}:{digest[3]:x2}:{digest[4]:x2}");
    }

    private static byte[] Digest(string identity) => SHA256.HashData(Encoding.UTF8.GetBytes(identity));

    private static bool TryParseCidr(string cidr, out uint network, out int hostBits)
    {
        network = 0;
        hostBits = 0;
        var slash = cidr.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0
            || !TryParse(cidr[..slash], out var address)
            || !int.TryParse(cidr.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var prefixBits))
        {
            return false;
        }

        hostBits = 32 - prefixBits;
        if (hostBits is < HostBitsMin or > HostBitsMax)
        {
            return false;
        }

        network = address & ~((1u << hostBits) - 1);
        return true;
    }

    private static bool TryParse(string text, out uint value)
    {
        value = 0;
        // Four parts: the class library also takes "10.1" for 10.0.0.1.
        if (text.Count(character => character == '.') != 3 || !IPAddress.TryParse(text, out var address) || address.AddressFamily != AddressFamily.InterNetwork)
        {
            return false;
        }

        value = BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes());
        return true;
    }

    private static string Format(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return new IPAddress(bytes).ToString();
    }
}
