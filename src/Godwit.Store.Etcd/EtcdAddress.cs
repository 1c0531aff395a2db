using System.Net;
using System.Net.Sockets;

namespace Godwit.Store.Etcd;

/// <summary><c>etcd://HOST[:PORT][,HOST[:PORT]…][/PREFIX]</c>: the members to ask, and what our keys begin with.</summary>
/// <param name="Members">Host and port of each.</param>
/// <param name="Prefix">Begins and ends with a slash.</param>
public sealed record EtcdAddress(IReadOnlyList<DnsEndPoint> Members, string Prefix)
{
    public const string Scheme = "etcd://";
    public const string PrefixDefault = "/godwit/";
    private const int PortDefault = 2379;
    private const int MembersMax = 16;

    /// <summary>True when no byte leaves this host.</summary>
    public bool IsLoopback => Members.All(member => member.Host == "localhost" || (IPAddress.TryParse(member.Host, out var address) && IPAddress.IsLoopback(address)));

    /// <exception cref="FormatException">The text is no such address; the message says which part is wrong.</exception>
    public static EtcdAddress Parse(string text)
    {
        if (!text.StartsWith(Scheme, StringComparison.Ordinal))
        {
            throw Wrong(text, $"it does not begin with {Scheme}");
        }

        var rest = text[Scheme.Length..];
        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        var hosts = (slash < 0 ? rest : rest[..slash]).Split(',', StringSplitOptions.TrimEntries);
        var path = slash < 0 ? "" : rest[slash..].Trim('/');
        if (hosts.Length > MembersMax)
        {
            throw Wrong(text, $"it names more than {MembersMax} members");
        }

        var prefix = path.Length == 0 ? PrefixDefault : $"/{path}/";
        if (prefix.AsSpan().IndexOfAnyExceptInRange('!', '~') >= 0 || prefix.Length > 256)
        {
            throw Wrong(text, "the keys' prefix after the members is printable ASCII without spaces, and short");
        }

        return new EtcdAddress([.. hosts.Select(host => Member(text, host))], prefix);
    }

    public override string ToString() => $"{Scheme}{string.Join(',', Members.Select(Text))}{(Prefix == PrefixDefault ? "" : Prefix.TrimEnd('/'))}";

    internal static string Text(DnsEndPoint member) => member.Host.Contains(':', StringComparison.Ordinal) ? $"[{member.Host}]:{member.Port}" : $"{member.Host}:{member.Port}";

    private static DnsEndPoint Member(string text, string host)
    {
        // Uri knows names, addresses of both families and ports; a user, a query or a fragment have no meaning here.
        return Uri.TryCreate($"tcp://{host}", UriKind.Absolute, out var uri) && uri.Host.Length > 0 && uri.PathAndQuery is "" or "/" && uri.UserInfo.Length == 0 && uri.Fragment.Length == 0
            ? new DnsEndPoint(uri.Host.Trim('[', ']'), uri.Port < 0 ? PortDefault : uri.Port, AddressFamily.Unspecified)
            : throw Wrong(text, $"'{host}' is no HOST or HOST:PORT");
    }

    private static FormatException Wrong(string text, string why) =>
        new($"'{text}' is not the address of an etcd: {why}. It reads {Scheme}HOST:PORT,HOST:PORT");
}
