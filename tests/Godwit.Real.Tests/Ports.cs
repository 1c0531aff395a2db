using System.Collections.Concurrent;
using System.Net;
using Godwit.Linux.Networking;

namespace Godwit.Real.Tests;

/// <summary>Ports of this host for servers that tests start: none is told twice in one test process, and none is one that an outgoing connection may take meanwhile.</summary>
internal static class Ports
{
    private static readonly ConcurrentDictionary<int, bool> Told = new();

    public static int Free() => Free(IPAddress.Loopback);

    public static int Free(IPAddress address)
    {
        while (true)
        {
            var port = ListeningPort.FindFree(address) ?? throw new InvalidOperationException($"No port of {address} is free.");
            if (Told.TryAdd(port, true))
            {
                return port;
            }
        }
    }
}
