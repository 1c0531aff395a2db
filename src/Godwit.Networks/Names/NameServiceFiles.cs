using System.Globalization;
using System.Text;

namespace Godwit.Networks.Names;

/// <summary>The texts that dnsmasq(8) reads. Pure, and the same for the same input, so that a change can be told from a repeat.</summary>
internal static class NameServiceFiles
{
    internal const string LeasesFile = "leases";
    internal const string NamesFile = "names";

    private const int LabelLengthMax = 63;
    private const int NameLengthMax = 253;

    internal static string BuildConfiguration(NameServiceSettings settings, string user)
    {
        CheckName(settings.Domain);
        CheckPath(settings.Folder);
        CheckLabel(settings.BridgeName);
        var text = new StringBuilder();
        void Add(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));

        Add($"user={user}");
        Add($"interface={settings.BridgeName}");
        Add($"bind-dynamic");
        Add($"except-interface=lo");
        Add($"no-hosts");
        Add($"addn-hosts={settings.Folder}/{NamesFile}");
        Add($"dhcp-hostsfile={settings.Folder}/{LeasesFile}");
        Add($"domain={settings.Domain}");
        Add($"local=/{settings.Domain}/");
        Add($"domain-needed");
        Add($"bogus-priv");
        Add($"cache-size=1000");
        Add($"dns-forward-max=150");
        // Only addresses from the table; who is not in it is not answered at all.
        Add($"dhcp-range={settings.Network.Address},static,{settings.Network.Mask},12h");
        Add($"dhcp-ignore=tag:!known");
        Add($"dhcp-authoritative");
        Add($"no-ping");
        Add($"leasefile-ro");
        Add($"dhcp-option=option:router,{settings.Gateway}");
        Add($"dhcp-option=option:dns-server,{settings.Gateway}");
        Add($"dhcp-option=option:mtu,{settings.MtuBytes}");
        Add($"dhcp-option=option:domain-search,{settings.Domain}");
        if (settings.Resolvers is { } resolvers)
        {
            Add($"no-resolv");
            foreach (var resolver in resolvers)
            {
                Add($"server={resolver}");
            }
        }

        return text.ToString();
    }

    internal static string BuildLeases(NameTable table)
    {
        var text = new StringBuilder();
        foreach (var lease in table.Leases.OrderBy(lease => lease.Mac.ToString(), StringComparer.Ordinal))
        {
            CheckLabel(lease.HostName);
            text.Append(CultureInfo.InvariantCulture, $"{lease.Mac},{lease.Address},{lease.HostName}\n");
        }

        return text.ToString();
    }

    internal static string BuildNames(NameServiceSettings settings, NameTable table)
    {
        var text = new StringBuilder();
        foreach (var name in table.Names.OrderBy(name => name.Name, StringComparer.Ordinal))
        {
            var full = $"{name.Name}.{settings.Domain}";
            CheckName(full);
            text.Append(CultureInfo.InvariantCulture, $"{name.Address} {full}\n");
        }

        return text.ToString();
    }

    /// <summary>A name from the API stands in a line of ours: nothing but a name may get there.</summary>
    private static void CheckName(string name)
    {
        if (name.Length is 0 or > NameLengthMax)
        {
            throw new ArgumentException($"'{name}' is no domain name: 1 to {NameLengthMax} letters");
        }

        foreach (var label in name.Split('.'))
        {
            CheckLabel(label);
        }
    }

    private static void CheckLabel(string label)
    {
        var sound = label.Length is > 0 and <= LabelLengthMax
            && label.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter == '-')
            && label[0] != '-' && label[^1] != '-';
        if (!sound)
        {
            throw new ArgumentException($"'{label}' is no part of a domain name: 1 to {LabelLengthMax} lower-case letters, digits and inner '-'");
        }
    }

    private static void CheckPath(string path)
    {
        if (!Path.IsPathFullyQualified(path) || path.Any(letter => char.IsControl(letter) || letter is ',' or '#' or '"'))
        {
            throw new ArgumentException($"'{path}' is no folder that dnsmasq can be told: an absolute path without ',', '#', '\"' and control characters");
        }
    }
}
