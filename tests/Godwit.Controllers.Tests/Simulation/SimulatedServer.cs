using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.ApiServer;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;
using Godwit.ApiServer.Serving;
using Godwit.Store;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// The real API server without its sockets: every request goes the whole way through the real pipeline, over the store in memory, and has been answered when the call returns. What it draws by chance
/// comes from the seed and its time from the simulation, so the same requests in the same order leave the same objects.
/// </summary>
internal sealed class SimulatedServer : IAsyncDisposable
{
    private const string Token = "token-of-the-simulation";
    private const string NodeTokenPrefix = "token-of-the-node-";

    /// <summary>The nodes whose agents may write as themselves.</summary>
    public static readonly string[] NodeNames = ["node-1", "node-2", "node-3"];

    private readonly MemoryRevisionStore store;
    private readonly ServerParts parts;
    private readonly RequestPipeline pipeline;

    private SimulatedServer(ServerParts parts, MemoryRevisionStore store, TimeProvider clock)
    {
        (this.parts, this.store) = (parts, store);
        pipeline = new RequestPipeline(parts, clock, NullLogger<RequestPipeline>.Instance);
    }

    /// <summary>All changes so far, one a revision.</summary>
    public List<StoreEvent> Changes { get; } = [];

    /// <summary>An empty store is at 1.</summary>
    public long Revision => Changes.Count == 0 ? 1 : Changes[^1].Revision;

    /// <param name="folder">Where its keys are, which several seeds may share.</param>
    /// <param name="clock">The simulation's time.</param>
    /// <param name="random">The seed's chance.</param>
    public static SimulatedServer Start(string folder, TimeProvider clock, Random random)
    {
        var memory = new MemoryRevisionStore();
        var options = new ApiServerOptions
        {
            DataFolder = folder,
            Store = memory,
            Registry = new ResourceRegistry(BuiltInKinds.All),
            Clock = clock,
            Loggers = NullLoggerFactory.Instance,
            Identity = new DrawnIdentity
            {
                NewUid = () => new Guid(Bytes(random, 16)),
                NewSuffix = () => new string(random.GetItems<char>(DrawnIdentity.SuffixLetters, 5)),
            },
        };
        var pki = PkiFolder.Open(folder, TimeProvider.System);
        if (!File.Exists(pki.TokensPath))
        {
            var nodes = NodeNames.Select(name => $"{NodeTokenPrefix}{name},{User.NodeNamePrefix}{name},{name},\"{User.NodesGroup}\"\n");
            File.WriteAllText(pki.TokensPath, $"{Token},simulation,1,\"{User.MastersGroup}\"\n{string.Concat(nodes)}");
        }

        var server = new SimulatedServer(new ServerParts(options, pki), memory, clock);
        server.Furnish().GetAwaiter().GetResult();
        server.Gather();
        return server;
    }

    /// <summary>Answers one request.</summary>
    /// <param name="method">Of HTTP.</param>
    /// <param name="pathAndQuery">As sent.</param>
    /// <param name="body">As sent.</param>
    /// <param name="contentType">Of the body.</param>
    /// <param name="node">The node whose agent asks, with its rights and no others; null: somebody who may do everything.</param>
    public (int Code, byte[] Body) Answer(string method, string pathAndQuery, ReadOnlyMemory<byte> body = default, string? contentType = null, string? node = null)
    {
        var http = new DefaultHttpContext();
        var query = pathAndQuery.IndexOf('?', StringComparison.Ordinal);
        http.Request.Method = method;
        http.Request.Path = Uri.UnescapeDataString(query < 0 ? pathAndQuery : pathAndQuery[..query]);
        http.Request.QueryString = new QueryString(query < 0 ? "" : pathAndQuery[query..]);
        http.Features.Get<IHttpRequestFeature>()!.RawTarget = pathAndQuery;
        http.Request.Headers.Authorization = $"Bearer {(node is null ? Token : NodeTokenPrefix + node)}";
        http.Request.Headers.UserAgent = "godwit";
        http.Request.Body = new MemoryStream(body.ToArray());
        http.Request.ContentLength = body.Length;
        http.Request.ContentType = contentType;
        var answer = new MemoryStream();
        http.Response.Body = answer;
        pipeline.HandleAsync(http, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
        http.Response.BodyWriter.FlushAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
        Gather();
        return (http.Response.StatusCode, answer.ToArray());
    }

    public T Create<T>(T resource)
        where T : Resource, IResource<T> => Read<T>(Answer("POST", T.Type.Path(T.Type.Namespaced ? resource.Metadata.Namespace : null), GodwitJson.SerializeToUtf8(resource), MediaTypes.Json));

    public T? Find<T>(string @namespace, string name)
        where T : Resource, IResource<T> => Answer("GET", Path<T>(@namespace, name)) is { Code: 200 } found ? Read<T>(found) : null;

    public IReadOnlyList<T> List<T>()
        where T : Resource, IResource<T>
    {
        var (code, body) = Answer("GET", T.Type.Path());
        Assert.Equal(200, code);
        return GodwitJson.Deserialize<ResourceList<T>>(body).Items;
    }

    /// <summary>False when the server said no: the object has changed, or is not there.</summary>
    public bool TryPatch<T>(string @namespace, string name, JsonObject patch, string? subresource = null)
        where T : Resource, IResource<T>
    {
        var (code, body) = Answer("PATCH", Path<T>(@namespace, name, subresource), Encoding.UTF8.GetBytes(patch.ToJsonString()), MediaTypes.MergePatch);
        Assert.True(code is 200 or 404 or 409, $"HTTP {code}: {Encoding.UTF8.GetString(body)}");
        return code == 200;
    }

    /// <summary>The same by an agent, with its node's rights; the code of the answer.</summary>
    public (int Code, string Body) Patch<T>(string node, T resource, JsonObject patch, string? subresource)
        where T : Resource, IResource<T>
    {
        var (code, body) = Answer("PATCH", Path<T>(resource.Metadata.Namespace, resource.Metadata.Name, subresource), Encoding.UTF8.GetBytes(patch.ToJsonString()), MediaTypes.MergePatch, node);
        return (code, Encoding.UTF8.GetString(body));
    }

    public void Delete<T>(string @namespace, string name)
        where T : Resource, IResource<T>
    {
        var (code, body) = Answer("DELETE", Path<T>(@namespace, name));
        Assert.True(code is 200 or 202 or 404, $"HTTP {code}: {Encoding.UTF8.GetString(body)}");
    }

    /// <summary>Writes past everything that the server holds to, as only a broken one would; nothing when there is no such object.</summary>
    public void Overwrite<T>(string @namespace, string name, Action<JsonObject> change)
        where T : Resource, IResource<T>
    {
        var resource = parts.Resources.Find(T.Type.Group, T.Type.Version, T.Type.Plural)!;
        var key = resource.Key(@namespace, name);
        if (Now(store.GetAsync(key, CancellationToken.None)) is { } item)
        {
            var stored = resource.Form.Decode(item.Value.Span, item.ModRevision);
            change(stored);
            Now(store.UpdateAsync(key, resource.Form.Encode(stored), item.ModRevision, CancellationToken.None));
            Gather();
        }
    }

    /// <summary>The line of a watch for a change, or null when it is about another kind or namespace.</summary>
    public byte[]? LineOf(StoreEvent change, ServedResource resource, string @namespace)
    {
        if (!change.Item.Key.StartsWith(resource.ListPrefix(@namespace), StringComparison.Ordinal))
        {
            return null;
        }

        var line = new ArrayBufferWriter<byte>(change.Item.Value.Length + 64);
        line.Write(Encoding.UTF8.GetBytes($$"""{"type":"{{(change.Kind == StoreEventKind.Created ? "ADDED" : change.Kind == StoreEventKind.Updated ? "MODIFIED" : "DELETED")}}","object":"""));
        resource.Form.Write(line, change.Item.Value.Span, change.Revision);
        line.Write("}\n"u8);
        return line.WrittenSpan.ToArray();
    }

    /// <summary>The kind that a path is about, and the namespace it names.</summary>
    public (ServedResource Resource, string Namespace) Watched(string pathAndQuery)
    {
        var info = RequestInfo.Parse("GET", pathAndQuery, watching: true, "");
        return (parts.Resources.Find(info.Group, info.Version, info.Resource)!, info.Namespace);
    }

    public T Decode<T>(StoreEvent change)
        where T : Resource, IResource<T> =>
        GodwitJson.FromNode<T>(parts.Resources.Find(T.Type.Group, T.Type.Version, T.Type.Plural)!.Form.Decode(change.Item.Value.Span, change.Revision));

    public bool IsOf<T>(StoreEvent change)
        where T : Resource, IResource<T> => change.Item.Key.StartsWith(parts.Resources.Find(T.Type.Group, T.Type.Version, T.Type.Plural)!.KeyPrefix, StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        parts.Dispose();
        await store.DisposeAsync();
    }

    private static byte[] Bytes(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private static string Path<T>(string @namespace, string name, string? subresource = null)
        where T : Resource, IResource<T> => T.Type.Path(T.Type.Namespaced ? @namespace : null, name, subresource);

    private static T Read<T>((int Code, byte[] Body) answer)
    {
        Assert.True(answer.Code is 200 or 201, $"HTTP {answer.Code}: {Encoding.UTF8.GetString(answer.Body)}");
        return GodwitJson.Deserialize<T>(answer.Body);
    }

    /// <summary>What a server writes before it answers its first request.</summary>
    private async Task Furnish()
    {
        var stopping = TestContext.Current.CancellationToken;
        await SystemNamespaces.EnsureAsync(parts.Resources, parts.Writer, stopping);
        await SystemClasses.EnsureAsync(parts.Resources, parts.Writer, stopping);
        await PriorityAdmission.EnsureAsync(parts.Resources, parts.Writer, stopping);
        await parts.Furnisher.EnsureAllAsync(stopping);

        // What a node may ask for by its verb and kind stands in no object, so the roles of the beginning are enough and need not be followed. What of these is its own, admission looks up in the store.
        using var loaded = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var following = parts.Access.RunAsync(loaded.Token);
        await loaded.CancelAsync();
        await following;
        Assert.NotNull(parts.Access.Known);
    }

    /// <summary>Takes what was written from the store's log, which has it at once.</summary>
    private void Gather()
    {
        while (Revision < Now(store.GetCurrentRevisionAsync(CancellationToken.None)))
        {
            var batches = store.WatchAsync("", Revision, CancellationToken.None).GetAsyncEnumerator(CancellationToken.None);
            Assert.True(Now(batches.MoveNextAsync()));
            Changes.AddRange(batches.Current.Events);
            batches.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static T Now<T>(ValueTask<T> task) => task.AsTask().GetAwaiter().GetResult();
}
