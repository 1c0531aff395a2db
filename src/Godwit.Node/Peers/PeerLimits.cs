namespace Godwit.Node.Peers;

/// <summary>The bounds of the transport. Tests make them small; nothing else changes them.</summary>
internal sealed record PeerLimits
{
    /// <summary>Connections of all peers together, also those that have not yet said who they are.</summary>
    public int ConnectionsMax { get; init; } = 256;

    /// <summary>Connections of one authenticated node.</summary>
    public int ConnectionsPerNodeMax { get; init; } = 64;

    /// <summary>From the TCP connection until the first frame is read (listening end) or answered (dialling end).</summary>
    public TimeSpan GreetingTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A control connection that was silent this long sends a ping.</summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>A control connection from which nothing came this long is closed. Closing it decides nothing: callers ask again.</summary>
    public TimeSpan SilenceMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Requests of the peer being worked on at once, per connection; one more is refused with <see cref="PeerRefusal.Busy"/>.</summary>
    public int RequestsMax { get; init; } = 32;

    /// <summary>Frames waiting to be written, per connection; then the sender waits.</summary>
    public int FramesQueuedMax { get; init; } = 64;
}
