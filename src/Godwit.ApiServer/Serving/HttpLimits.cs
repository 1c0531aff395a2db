using Godwit.ApiServer.Resources;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Godwit.ApiServer.Serving;

/// <summary>Bounds on what a connection may cost, before anything is known of who is at its other end.</summary>
internal static class HttpLimits
{
    public static void Apply(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        var limits = kestrel.Limits;
        limits.MaxRequestBodySize = JsonLimits.BodyBytesMax;
        limits.MaxRequestHeadersTotalSize = 32 * 1024;
        limits.MaxRequestHeaderCount = 64;
        limits.MaxRequestLineSize = 16 * 1024;
        limits.MaxConcurrentConnections = 16_384;
        limits.MaxConcurrentUpgradedConnections = 1024;
        limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        limits.KeepAliveTimeout = TimeSpan.FromMinutes(5);
        // Below these rates a peer is not slow but holding on: the connection is cut.
        limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
        limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(10));
        limits.Http2.MaxStreamsPerConnection = 512;
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
    }
}
