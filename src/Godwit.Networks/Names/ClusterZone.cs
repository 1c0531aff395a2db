using System.Globalization;
using System.Net;
using Godwit.Networks.Addressing;

namespace Godwit.Networks.Names;

/// <summary>What is answered to a question.</summary>
internal abstract record ZoneAnswer
{
    private ZoneAnswer()
    {
    }

    /// <summary>The name is there; perhaps without a record of this type.</summary>
    internal sealed record Found(IReadOnlyList<DnsRecord> Records) : ZoneAnswer;

    /// <summary>The name stands for another one, whose addresses belong to the answer: those who ask do not follow by themselves.</summary>
    internal sealed record Elsewhere(IReadOnlyList<DnsRecord> Records, string Target) : ZoneAnswer;

    internal sealed record NoSuchName : ZoneAnswer;
}

/// <summary>The part of the cluster's names that no table of addresses can say: ports of services, names that stand for others, pods by their addresses. Pure.</summary>
internal sealed class ClusterZone
{
    internal const int TtlSeconds = 1;

    /// <summary>Names of the cluster that stand for names of the cluster; more are a circle.</summary>
    private const int AliasesMax = 8;

    private readonly ServiceNames names;
    private readonly string podDomain;
    private readonly Ipv4Network network;
    private readonly HashSet<string> parents;

    internal ClusterZone(ServiceNames names, string domain, Ipv4Network network)
    {
        (this.names, this.network, podDomain) = (names, network, PodDomainOf(domain));
        parents = [.. names.Targets.Keys.Select(ParentOf), podDomain];
    }

    internal static string PodDomainOf(string domain) => $"pod.{domain}";

    /// <summary>The names below which this zone is to be asked.</summary>
    internal static IEnumerable<string> RootsOf(ServiceNames names, string domain) =>
        names.Targets.Keys.Take(ServiceNames.OthersMax).Select(ParentOf).Distinct().Concat(names.Aliases.Keys.Take(ServiceNames.OthersMax)).Append(PodDomainOf(domain));

    internal ZoneAnswer Answer(string name, DnsType type)
    {
        if (names.Targets.TryGetValue(name, out var targets))
        {
            return new ZoneAnswer.Found(type is DnsType.Srv or DnsType.Any ? [.. targets.Select(target => new DnsRecord.Service(name, TtlSeconds, target))] : []);
        }

        if (names.Aliases.ContainsKey(name))
        {
            return Follow(name, type);
        }

        if (parents.Contains(name))
        {
            return new ZoneAnswer.Found([]);
        }

        return AddressOf(name) is { } address
            ? new ZoneAnswer.Found(type is DnsType.A or DnsType.Any ? [new DnsRecord.Host(name, TtlSeconds, address)] : [])
            : new ZoneAnswer.NoSuchName();
    }

    private ZoneAnswer Follow(string name, DnsType type)
    {
        var chain = new List<DnsRecord>();
        while (chain.Count < AliasesMax && names.Aliases.TryGetValue(name, out var target))
        {
            chain.Add(new DnsRecord.Alias(name, TtlSeconds, target));
            name = target;
        }

        return type is DnsType.A or DnsType.Aaaa && !names.Aliases.ContainsKey(name) ? new ZoneAnswer.Elsewhere(chain, name)
            : new ZoneAnswer.Found(type is DnsType.Cname ? chain[..1] : chain);
    }

    /// <summary><c>10-77-0-5.namespace.pod.cluster.local</c>; any address of the network, be there a pod or not, as Kubernetes' own servers do.</summary>
    private IPAddress? AddressOf(string name)
    {
        if (!name.EndsWith($".{podDomain}", StringComparison.Ordinal) || name[..^(podDomain.Length + 1)].Split('.') is not [var label, var space] || !DomainName.IsSoundLabel(space))
        {
            return null;
        }

        var bytes = label.Split('-').Select(part => byte.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : (int?)null).ToList();
        return bytes.Count == 4 && bytes.TrueForAll(part => part is not null) && new IPAddress([.. bytes.Select(part => (byte)part!)]) is var address && network.IsUsable(address) ? address : null;
    }

    private static string ParentOf(string name) => name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..];
}
