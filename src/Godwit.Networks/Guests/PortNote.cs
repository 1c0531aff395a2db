using System.Net;
using System.Net.Sockets;
using Godwit.Linux.Networking;

namespace Godwit.Networks.Guests;

/// <summary>
/// Whose port a tap is, written on the tap itself (its alias): the one record that lives exactly as long as the tap, so that the packet
/// filter can be made anew from the devices alone, by an agent that did not make them.
/// </summary>
internal readonly record struct PortNote(MacAddress Mac, IPAddress? Address)
{
    private const string Mark = "godwit";
    private const string NoAddress = "-";

    internal static bool TryParse(string text, out PortNote note)
    {
        note = default;
        if (text.Split(' ') is not [Mark, var mac, var address] || !MacAddress.TryParse(mac, out var parsed))
        {
            return false;
        }

        if (address == NoAddress)
        {
            note = new PortNote(parsed, null);
            return true;
        }

        if (!IPAddress.TryParse(address, out var parsedAddress) || parsedAddress.AddressFamily is not AddressFamily.InterNetwork)
        {
            return false;
        }

        note = new PortNote(parsed, parsedAddress);
        return true;
    }

    public override string ToString() => $"{Mark} {Mac} {Address?.ToString() ?? NoAddress}";
}
