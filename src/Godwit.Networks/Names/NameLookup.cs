using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Godwit.Linux.Networking;

namespace Godwit.Networks.Names;

/// <summary>Asks a resolver for the addresses of a name.</summary>
internal sealed class NameLookup(IPEndPoint server, NetworkNamespace place, TimeProvider time)
{
    private static readonly TimeSpan TryBound = TimeSpan.FromSeconds(2);
    private const int Tries = 2;

    /// <returns>Null when it did not answer, or had no answer.</returns>
    internal async Task<DnsAddresses?> AskAsync(string name, DnsType type, CancellationToken stopping)
    {
        var query = DnsMessage.WriteQuery((ushort)RandomNumberGenerator.GetInt32(ushort.MaxValue), name, type);
        for (var left = Tries; left > 0; left--)
        {
            using var bound = new CancellationTokenSource(TryBound, time);
            using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping, bound.Token);
            try
            {
                var answer = await AskByUdpAsync(query, type, over.Token);
                return answer.IsTruncated ? await AskByTcpAsync(query, type, over.Token) : answer;
            }
            catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
            {
                // A datagram may be lost.
            }
            catch (Exception failure) when (failure is SocketException or IOException)
            {
                return null;
            }
        }

        return null;
    }

    /// <summary>Others than the server cannot answer: the socket is connected, its port and the question's number are guessed by nobody in time.</summary>
    private async Task<DnsAddresses> AskByUdpAsync(byte[] query, DnsType type, CancellationToken stopping)
    {
        using var socket = place.Run(() => new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp));
        await socket.ConnectAsync(server, stopping);
        await socket.SendAsync(query, stopping);
        var buffer = new byte[DnsMessage.UdpBytesMax];
        while (true)
        {
            var count = await socket.ReceiveAsync(buffer, stopping);
            if (DnsMessage.ReadAddresses(buffer.AsSpan(0, count), query, type) is { } answer)
            {
                return answer;
            }

            if (count > 3 && (buffer[3] & 0xf) != 0)
            {
                throw new IOException("the resolver has no answer");
            }
        }
    }

    private async Task<DnsAddresses?> AskByTcpAsync(byte[] query, DnsType type, CancellationToken stopping)
    {
        using var socket = place.Run(() => new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        await socket.ConnectAsync(server, stopping);
        await using var stream = new NetworkStream(socket);
        var length = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)query.Length);
        await stream.WriteAsync((byte[])[.. length, .. query], stopping);
        await stream.ReadExactlyAsync(length, stopping);
        var answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(answer, stopping);
        return DnsMessage.ReadAddresses(answer, query, type);
    }
}
