using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Godwit.Node.Peers;

/// <summary>Who asks, as its certificate says, and the connection to answer or ask back on.</summary>
internal sealed record PeerContext(NodeName Peer, PeerConnection Connection);

/// <summary>
/// What other agents may ask of this one: filled while the agent is composed, frozen with the first connection. A
/// handler decides by <see cref="PeerContext.Peer"/> what that node may speak of, and refuses with
/// <see cref="PeerRefusedException"/>. Handlers of one connection start in the order their requests came and then run
/// side by side.
/// </summary>
internal sealed class PeerMethods
{
    private readonly Dictionary<string, Handler> handlers = new(StringComparer.Ordinal);
    private FrozenDictionary<string, Handler>? frozen;

    private delegate Task<JsonElement?> Handler(PeerContext context, JsonElement? body, CancellationToken stopping);

    /// <summary>A method that replies.</summary>
    public void Map<TRequest, TReply>(PeerMethod<TRequest, TReply> method, Func<PeerContext, TRequest, CancellationToken, Task<TReply>> handle)
        where TRequest : class =>
        Add(method.Name, async (context, body, stopping) =>
            JsonSerializer.SerializeToElement(await handle(context, Read(method.Name, body, method.RequestType), stopping), method.ReplyType));

    /// <summary>A method without a reply: what it throws is only logged here.</summary>
    public void MapNotice<TNotice>(string method, JsonTypeInfo<TNotice> noticeType, Func<PeerContext, TNotice, CancellationToken, Task> handle)
        where TNotice : class =>
        Add(method, async (context, body, stopping) =>
        {
            await handle(context, Read(method, body, noticeType), stopping);
            return null;
        });

    internal Task<JsonElement?> InvokeAsync(PeerContext context, PeerFrame frame, CancellationToken stopping)
    {
        frozen ??= handlers.ToFrozenDictionary(StringComparer.Ordinal);
        return frozen.TryGetValue(frame.Method!, out var handler)
            ? handler(context, frame.Body, stopping)
            : throw new PeerRefusedException(PeerRefusal.UnknownMethod, "This agent knows no such method; the two agents may be of different versions.");
    }

    private void Add(string method, Handler handler)
    {
        if (frozen is not null)
        {
            throw new InvalidOperationException($"The peer method '{method}' came after the first connection.");
        }

        handlers.Add(method, handler);
    }

    private static T Read<T>(string method, JsonElement? body, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return body?.Deserialize(type) ?? throw new PeerRefusedException(PeerRefusal.BadRequest, $"{method} needs a body.");
        }
        catch (JsonException error)
        {
            throw new PeerRefusedException(PeerRefusal.BadRequest, $"The body of {method} is not valid: {error.Message}");
        }
    }
}
