using System.Net;
using System.Net.Sockets;
using Godwit.App.Clusters;

namespace Godwit.App.Roles;

/// <summary>An address that a part of Godwit is about to listen on.</summary>
/// <param name="Owner">Who wants it, as a person calls it: <c>godwit agent</c>.</param>
/// <param name="Purpose">What is served there, after "for": <c>the API</c>.</param>
/// <param name="Address">Port 0 is any free one.</param>
/// <param name="Flag">What to write on the command line to have another.</param>
internal sealed record Door(string Owner, string Purpose, IPEndPoint Address, string Flag)
{
    /// <summary>
    /// Tries each before anything is made, so that a port in use leaves nothing half done. Between this and the real attempt
    /// another may take one: then that attempt fails, only with fewer words.
    /// </summary>
    /// <exception cref="ClusterException">One of them cannot be listened on.</exception>
    public static void MustBeFree(params IReadOnlyList<Door> doors)
    {
        foreach (var door in doors)
        {
            door.MustBeFree();
        }
    }

    private void MustBeFree()
    {
        using var socket = new Socket(Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (Address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.DualMode = true; // As the servers listen: all of IPv6 is all of IPv4 too.
            }

            socket.Bind(Address);
        }
        catch (SocketException error)
        {
            throw new ClusterException($"{Owner} cannot listen on {Address} (TCP) for {Purpose}: {Advice(error.SocketErrorCode)}", error);
        }
    }

    private string Advice(SocketError error) => error switch
    {
        SocketError.AddressAlreadyInUse => $"another process listens on port {Address.Port}. See which with 'ss -ltnp sport = :{Address.Port}' and end it, or choose another port with {Flag}",
        SocketError.AddressNotAvailable => $"no interface of this host has the address {Address.Address}. Choose one of those that 'ip -brief address' shows with {Flag}",
        SocketError.AccessDenied => $"a port below 1024 needs root. Choose another with {Flag}",
        _ => $"choose another address or port with {Flag}",
    };
}
