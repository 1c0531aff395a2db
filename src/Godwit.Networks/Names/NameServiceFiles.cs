using System.Globalization;
using System.Text;

namespace Godwit.Networks.Names;

/// <summary>The texts that dnsmasq(8) reads. Pure, and the same for the same input, so that a change can be told from a repeat.</summary>
internal static class NameServiceFiles
{
    internal const string LeasesFile = "leases";
    internal const string NamesFile = "names";
    internal const string ServicesFile = "services";
    internal const string ServersFile = "servers";

    /// <summary>How long a guest's own resolver may keep what the tables say: endpoints come and go.</summary>
    private const int AnswerSeconds = 1;

    internal static string BuildConfiguration(NameServiceSettings settings, string user)
    {
        DomainName.Check(settings.Domain);
        DomainName.Check(settings.ClusterDomain);
        CheckPath(settings.Folder);
        DomainName.CheckLabel(settings.BridgeName);
        var text = new StringBuilder();
        void Add(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));

        Add($"user={user}");
        Add($"interface={settings.BridgeName}");
        Add($"bind-dynamic");
        Add($"except-interface=lo");
        Add($"no-hosts");
        Add($"addn-hosts={settings.Folder}/{NamesFile}");
        Add($"addn-hosts={settings.Folder}/{ServicesFile}");
        Add($"dhcp-hostsfile={settings.Folder}/{LeasesFile}");
        Add($"domain={settings.Domain}");
        Add($"local=/{settings.Domain}/");
        // Below these nothing is asked of others: what is in no table does not exist.
        Add($"local=/{settings.ClusterDomain}/");
        Add($"servers-file={settings.Folder}/{ServersFile}");
        Add($"local-ttl={AnswerSeconds}");
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

    internal static string BuildServices(ServiceNames services)
    {
        var text = new StringBuilder();
        foreach (var host in services.Hosts.Take(ServiceNames.HostsMax))
        {
            DomainName.Check(host.Name);
            text.Append(CultureInfo.InvariantCulture, $"{host.Address} {host.Name}\n");
        }

        return text.ToString();
    }

    /// <summary>Which names are asked of our own responder; of what is below a domain the longest one counts.</summary>
    internal static string BuildServers(NameServiceSettings settings, ServiceNames services, int port)
    {
        var text = new StringBuilder();
        foreach (var root in port == 0 ? [] : ClusterZone.RootsOf(services, settings.ClusterDomain))
        {
            DomainName.Check(root.TrimStart('_')); // _tcp and its like come first, if at all.
            text.Append(CultureInfo.InvariantCulture, $"server=/{root}/127.0.0.1#{port}\n");
        }

        return text.ToString();
    }

    internal static string BuildLeases(NameTable table)
    {
        var text = new StringBuilder();
        foreach (var lease in table.Leases.OrderBy(lease => lease.Mac.ToString(), StringComparer.Ordinal))
        {
            DomainName.CheckLabel(lease.HostName);
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
            DomainName.Check(full);
            text.Append(CultureInfo.InvariantCulture, $"{name.Address} {full}\n");
        }

        return text.ToString();
    }

    private static void CheckPath(string path)
    {
        if (!Path.IsPathFullyQualified(path) || path.Any(letter => char.IsControl(letter) || letter is ',' or '#' or '"'))
        {
            throw new ArgumentException($"'{path}' is no folder that dnsmasq can be told: an absolute path without ',', '#', '\"' and control characters");
        }
    }
}
