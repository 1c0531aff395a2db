using System.Net;
using System.Net.Sockets;
using Godwit.Linux.Networking;

namespace Godwit.ServiceBench;

/// <summary>A server that answers each request with a small page, and clients in closed loops; each a thread inside its own network.</summary>
internal static class Load
{
    private const int Threads = 8;
    private static readonly byte[] Request = "GET / HTTP/1.1\r\nHost: web\r\n\r\n"u8.ToArray();
    private static readonly byte[] Page = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"u8.ToArray();

    /// <summary>Answers at this end until the program ends.</summary>
    internal static void Serve(NetworkNamespace place, IPEndPoint end)
    {
        var listener = place.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(end);
        listener.Listen(1024);
        for (var i = 0; i < Threads; i++)
        {
            new Thread(() => Answer(listener)) { IsBackground = true }.Start();
        }
    }

    /// <summary>Requests a second.</summary>
    /// <param name="isKept">Each client keeps one connection; otherwise each request has its own.</param>
    internal static double Measure(NetworkNamespace place, IPEndPoint target, bool isKept, TimeSpan length)
    {
        long count = 0;
        var start = TimeProvider.System.GetTimestamp();
        var clients = Enumerable.Range(0, Threads).Select(_ => new Thread(() =>
        {
            var own = place.Run(() => Ask(target, isKept, start, length));
            Interlocked.Add(ref count, own);
        })).ToList();
        clients.ForEach(client => client.Start());
        clients.ForEach(client => client.Join());
        return count / TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }

    private static long Ask(IPEndPoint target, bool isKept, long start, TimeSpan length)
    {
        var (count, buffer) = (0L, new byte[256]);
        while (TimeProvider.System.GetElapsedTime(start) < length)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            // Closed by a reset: ports that wait for stragglers would run out.
            socket.LingerState = new LingerOption(true, 0);
            socket.Connect(target);
            do
            {
                socket.Send(Request);
                for (var got = 0; got < Page.Length;)
                {
                    got += socket.Receive(buffer) is > 0 and var more ? more : throw new IOException($"{target} closed a connection");
                }

                count++;
            }
            while (isKept && TimeProvider.System.GetElapsedTime(start) < length);
        }

        return count;
    }

    private static void Answer(Socket listener)
    {
        var buffer = new byte[256];
        while (true)
        {
            using var client = listener.Accept();
            try
            {
                client.NoDelay = true;
                while (client.Receive(buffer) > 0)
                {
                    client.Send(Page);
                }
            }
            catch (SocketException)
            {
                // Its client has closed it.
            }
        }
    }
}
