using System.Net;
using System.Net.Sockets;
using System.Text.Json.Serialization;
using Godwit.Node.Peers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Node.Tests.Peers;

internal sealed record Ping(string Text);

internal sealed record Pong(string Text, string From);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Ping))]
[JsonSerializable(typeof(Pong))]
internal sealed partial class TestJson : JsonSerializerContext;

/// <summary>One agent's transport on loopback.</summary>
internal sealed class TestAgent : IAsyncDisposable
{
    public static readonly PeerMethod<Ping, Pong> Echo = new("test/echo", TestJson.Default.Ping, TestJson.Default.Pong);

    public TestAgent(PeerIdentity identity, PeerLimits? limits = null, Action<PeerMethods>? map = null)
    {
        Methods = new PeerMethods();
        Methods.Map(Echo, (context, ping, _) => Task.FromResult(new Pong(ping.Text, context.Peer.Value)));
        map?.Invoke(Methods);
        Services = new PeerServices(identity, Methods, limits ?? new PeerLimits(), TimeProvider.System, NullLogger.Instance);
        Streams = new IncomingStreams(TimeProvider.System);
        Listener = new PeerListener(new IPEndPoint(IPAddress.Loopback, 0), Services, Streams);
        Dialer = new PeerDialer(Services);
    }

    public PeerMethods Methods { get; }

    public PeerServices Services { get; }

    public IncomingStreams Streams { get; }

    public PeerListener Listener { get; }

    public PeerDialer Dialer { get; }

    public PeerEndpoint Endpoint => new(Services.Identity.Name, Listener.Address);

    public ValueTask DisposeAsync() => Listener.DisposeAsync();
}

/// <summary>Two agents under one authority, and a folder for their sockets.</summary>
internal sealed class TestPair : IAsyncDisposable
{
    public TestPair(PeerLimits? limits = null, Action<PeerMethods>? map = null)
    {
        Source = new TestAgent(Authority.Node("node-1"), limits, map);
        Target = new TestAgent(Authority.Node("node-2"), limits, map);
        Folder = Directory.CreateTempSubdirectory($"godwit-peers-{Environment.ProcessId}-").FullName;
    }

    public TestAuthority Authority { get; } = new();

    public TestAgent Source { get; }

    public TestAgent Target { get; }

    public string Folder { get; }

    /// <summary>A socket on which a pretended QEMU of the target listens.</summary>
    public Socket ListenAsQemu(out string path)
    {
        path = Path.Combine(Folder, "incoming.sock");
        return ListenAt(path);
    }

    public static Socket ListenAt(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        socket.Listen();
        return socket;
    }

    public static async Task<Socket> ConnectAsQemuAsync(string path, CancellationToken stopping)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), stopping);
        return socket;
    }

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        await Target.DisposeAsync();
        Authority.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>Every test of the transport ends in this time or fails.</summary>
internal static class Bound
{
    public static CancellationToken Token() =>
        CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken, new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token).Token;
}
