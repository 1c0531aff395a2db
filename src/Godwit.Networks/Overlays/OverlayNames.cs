using System.Security.Cryptography;
using System.Text;

namespace Godwit.Networks.Overlays;

/// <summary>What an overlay's parts are called on a host; two overlays on one host differ in their prefix.</summary>
public sealed record OverlayNames
{
    private const int PrefixLengthMax = 4;
    private const int TapDigits = 8;

    /// <param name="prefix">One to four lower-case letters or digits, a letter first.</param>
    public OverlayNames(string prefix = "gw")
    {
        if (prefix.Length is 0 or > PrefixLengthMax || !char.IsAsciiLetterLower(prefix[0]) || !prefix.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter)))
        {
            throw new ArgumentException($"'{prefix}' is no prefix for an overlay's names: one to {PrefixLengthMax} lower-case letters or digits, a letter first", nameof(prefix));
        }

        Prefix = prefix;
    }

    public string Prefix { get; }

    /// <summary>The switch that the guests of this host are on.</summary>
    public string Bridge => $"{Prefix}-br";

    /// <summary>The bridge's port to the other hosts.</summary>
    public string Tunnel => $"{Prefix}-vx";

    /// <summary>The host's own station on the overlay, from which guests are probed.</summary>
    public string Observer => $"{Prefix}-ob";

    /// <summary>The bridge's port to <see cref="Observer"/>.</summary>
    public string ObserverPort => $"{Prefix}-op";

    /// <summary>The packet filter's table in each family that it is used in.</summary>
    public string Table => $"godwit-{Prefix}";

    /// <summary>What every tap's name starts with.</summary>
    public string TapPrefix => $"{Prefix}-t";

    /// <summary>The tap of a guest's NIC, at most 15 letters: short forms of the two names, cut from their SHA-256, and the NIC's number.</summary>
    /// <param name="machineId">Unique among machines.</param>
    /// <param name="nic">Counted from zero, at most nine.</param>
    public string Tap(string machineId, int nic = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(nic, 9);
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(machineId)));
        return $"{TapPrefix}{digest[..TapDigits]}{nic}";
    }
}
