using Godwit.DockerApi.Wire;
using Godwit.DockerApi.Serving;

namespace Godwit.DockerApi.Mapping;

/// <summary>The two networks that clients list and that are none: the host's own, and no network.</summary>
internal static class BuiltInNetworks
{
    /// <summary>Ids that no made network has: those are random.</summary>
    public static string HostId { get; } = new('1', 64);

    public static string NoneId { get; } = new('0', 64);

    public static IReadOnlyList<NetworkBody> All { get; } = [Describe("host", HostId, "host"), Describe("none", NoneId, "null")];

    public static NetworkBody? Find(string nameOrId) => All.FirstOrDefault(network => network.Name == nameOrId || network.Id == nameOrId);

    private static NetworkBody Describe(string name, string id, string driver) => new()
    {
        Name = name,
        Id = id,
        Created = Moments.Never,
        Driver = driver,
        EnableIPv6 = false,
        IPAM = new IpamBody("default", null, []),
        Internal = false,
        Attachable = false,
        Containers = new Dictionary<string, NetworkMemberBody>(StringComparer.Ordinal),
        Options = new Dictionary<string, string>(StringComparer.Ordinal),
        Labels = new Dictionary<string, string>(StringComparer.Ordinal),
    };
}
