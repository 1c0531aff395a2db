using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;
using Godwit.ApiServer.Watching;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer.Serving;

/// <summary>The server's parts, put together by hand: what depends on what can be read here.</summary>
internal sealed class ServerParts
{
    public ServerParts(ApiServerOptions options, PkiFolder pki)
    {
        var store = options.Store;
        Resources = new ServedResources(options.Registry);
        Writer = new ObjectWriter(store, new Admission(store, Resources), options.Clock);
        var lists = new ListHandler(store);
        var watches = new WatchHandler(store, lists, new SharedEvents(), options.Clock);
        var handler = new ResourceHandler(store, lists, watches, Writer);
        Pipeline = new RequestPipeline(new Authenticator(pki.Authority, TokensOf(pki)), Resources, handler, new SystemPaths(store), options.Clock, options.Loggers.CreateLogger<RequestPipeline>());
    }

    public ServedResources Resources { get; }

    public ObjectWriter Writer { get; }

    public RequestPipeline Pipeline { get; }

    private static TokenTable TokensOf(PkiFolder pki)
    {
        var tokens = new TokenTable();
        tokens.Add(pki.BootstrapToken(), new User("system:bootstrap:godwit", [User.BootstrappersGroup, User.AuthenticatedGroup]));
        if (File.Exists(pki.TokensPath))
        {
            tokens.AddFile(pki.TokensPath);
        }

        return tokens;
    }
}
