using System.Net;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Auditing;
using Godwit.Store;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer;

/// <summary>What an API server needs to run.</summary>
public sealed record ApiServerOptions
{
    /// <summary>The folder of <c>pki/</c>; made when it is not there.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Where all state lies. The server uses it and does not own it.</summary>
    public required IRevisionStore Store { get; init; }

    /// <summary>
    /// Other servers may serve the same store: then creates that a quota bounds take turns among all of them, and a server
    /// with another authority than theirs is refused.
    /// </summary>
    public bool SharesStore { get; init; }

    /// <summary>The kinds to serve.</summary>
    public required ResourceRegistry Registry { get; init; }

    /// <summary>Where to listen; port 0 takes any free one.</summary>
    public IReadOnlyList<IPEndPoint> Listen { get; init; } = [new(IPAddress.IPv6Any, 6443)];

    /// <summary>
    /// Where to listen besides, at addresses that this host may only get later, such as the one that it has on the guests' network once its agent runs.
    /// Nobody reaches the server there before that.
    /// </summary>
    public IReadOnlyList<IPEndPoint> ListenLater { get; init; } = [];

    /// <summary>Names and addresses that clients reach the server by, beyond loopback and the cluster's own; they go into its certificate.</summary>
    public IReadOnlyList<string> ServerNames { get; init; } = [];

    /// <summary>The name or address in the kubeconfigs that the server writes.</summary>
    public string AdvertisedHost { get; init; } = "127.0.0.1";

    /// <summary>Every name and address that the server is called by.</summary>
    internal IReadOnlyList<string> AllServerNames =>
    [
        "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "127.0.0.1", "::1",
        AdvertisedHost, .. ServerNames,
    ];

    /// <summary>What other parts of this process count, as Prometheus' text; appended to <c>/metrics</c> when it is asked for.</summary>
    public Func<string>? MoreMetrics { get; init; }

    /// <summary>Where requests are written down; null: nowhere.</summary>
    public AuditLogOptions? Audit { get; init; }

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Where new objects have their uids and made names from.</summary>
    internal Resources.DrawnIdentity Identity { get; init; } = new();

    public required ILoggerFactory Loggers { get; init; }
}
