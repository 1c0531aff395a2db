using System.Collections.Concurrent;
using System.Text.Json.Serialization.Metadata;

namespace Godwit.Node.Peers;

/// <summary>
/// Control connections to other agents, opened when first needed and kept. A request uses the standing connection or
/// opens one; when that fails it says so, and the next request tries anew. It never asks twice by itself: only the caller
/// knows whether asking again is right.
/// </summary>
internal sealed class PeerLinks(PeerDialer dialer) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<NodeName, Link> links = new();

    /// <inheritdoc cref="PeerConnection.RequestAsync"/>
    public async Task<TReply> RequestAsync<TRequest, TReply>(
        PeerEndpoint endpoint,
        PeerMethod<TRequest, TReply> method,
        TRequest request,
        CancellationToken stopping)
        where TReply : class
    {
        var connection = await links.GetOrAdd(endpoint.Node, _ => new Link()).GetAsync(dialer, endpoint, stopping);
        return await connection.RequestAsync(method, request, stopping);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var link in links.Values)
        {
            await link.DisposeAsync();
        }
    }

    private sealed class Link : IAsyncDisposable
    {
        private readonly SemaphoreSlim opening = new(1);
        private (PeerConnection Connection, PeerEndpoint Endpoint)? open;

        public async Task<PeerConnection> GetAsync(PeerDialer dialer, PeerEndpoint endpoint, CancellationToken stopping)
        {
            await opening.WaitAsync(stopping);
            try
            {
                if (open is { Connection.IsOpen: true } standing && standing.Endpoint == endpoint)
                {
                    return standing.Connection;
                }

                await CloseAsync();
                var connection = await dialer.OpenControlAsync(endpoint, stopping);
                open = (connection, endpoint);
                return connection;
            }
            finally
            {
                opening.Release();
            }
        }

        public async ValueTask DisposeAsync()
        {
            await CloseAsync();
            opening.Dispose();
        }

        private async Task CloseAsync()
        {
            if (open is { } standing)
            {
                open = null;
                await standing.Connection.DisposeAsync();
            }
        }
    }
}

/// <summary>A method of the peer protocol, named once for both ends.</summary>
internal sealed record PeerMethod<TRequest, TReply>(string Name, JsonTypeInfo<TRequest> RequestType, JsonTypeInfo<TReply> ReplyType);
