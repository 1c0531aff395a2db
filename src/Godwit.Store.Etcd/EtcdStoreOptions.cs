using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Store.Etcd;

/// <summary>Which etcd, how it is known and how we are known to it, and the bounds that are kept.</summary>
/// <param name="Address">Its members and where among their keys ours lie.</param>
public sealed record EtcdStoreOptions(EtcdAddress Address)
{
    /// <summary>PEM file with the authority that the members' certificates are of; null: the host's own authorities.</summary>
    public string? AuthorityFile { get; init; }

    /// <summary>PEM file with the certificate that we show; goes with <see cref="KeyFile"/>.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>PEM file with the certificate's private key.</summary>
    public string? KeyFile { get; init; }

    /// <summary>Speaks without encryption to members that are not on loopback.</summary>
    public bool AllowsPlain { get; init; }

    /// <summary>How long a member may take for a small read before another one is asked.</summary>
    public TimeSpan ReadMax { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a member may take for a page of a list, or for a write.</summary>
    public TimeSpan CallMax { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long all members together may take, retries and pauses included.</summary>
    public TimeSpan AttemptsMax { get; init; } = TimeSpan.FromSeconds(15);

    public EventFeedLimits FeedLimits { get; init; } = EventFeedLimits.Default;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>What etcd takes in one request unless it was told otherwise (1.5 MiB), less room for the key, said thrice, and what surrounds it.</summary>
    public const int ValueBytesMax = (1536 * 1024) - (8 * 1024);
}
