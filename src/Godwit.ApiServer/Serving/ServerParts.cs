using Godwit.Api.Documents;
using Godwit.Api.Kinds;
using Godwit.ApiServer.Access;
using Godwit.ApiServer.Auditing;
using Godwit.ApiServer.Measuring;
using Godwit.ApiServer.Proxying;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;
using Godwit.ApiServer.Telemetry;
using Godwit.ApiServer.Watching;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer.Serving;

/// <summary>The server's parts, put together by hand: what depends on what can be read here.</summary>
internal sealed class ServerParts : IDisposable
{
    private readonly AgentClient agents;
    private readonly AccountTokenSigner accountTokens;

    public ServerParts(ApiServerOptions options, PkiFolder pki)
    {
        var store = options.Store;
        Resources = new ServedResources(options.Registry);
        accountTokens = new AccountTokenSigner(pki.AccountKey(), options.Clock);
        Authenticator = new Authenticator(pki.Authority, TokensOf(pki), new AccountAuthenticator(accountTokens, store, Resources, options.Clock));
        var signer = new NodeSigner(pki.Authority, options.AllServerNames);
        Access = new AccessIndex(store, Resources, options.Clock, options.Loggers.CreateLogger<AccessIndex>());
        Authorizer = new Authorizer(Access);
        var uses = new QuotaUses(store, Resources);
        var turns = new WriteTurns(options.SharesStore ? new SharedTurns(store, options.Clock) : null);
        var gates = (new QuotaGate(store, Resources, uses, turns), new ServiceGate(store, Resources, turns));
        Writer = new ObjectWriter(store, new Admission(store, Resources, signer, new EscalationGuard(Access, Authorizer), gates, options.Clock), options.Clock, options.Identity);
        Quotas = new QuotaKeeper(store, Resources, Writer, uses, options.Clock, options.Loggers.CreateLogger<QuotaKeeper>());
        Reviews = new ReviewHandler(Authenticator, Authorizer);
        Tokens = new TokenHandler(store, Resources, accountTokens, options.Clock);
        var views = new ObjectViews(options.Clock);
        var lists = new ListHandler(store, views);
        var watches = new WatchHandler(store, lists, views, Metrics, options.Clock);
        Furnisher = new NamespaceFurnisher(store, Resources, Writer, pki.Authority.CertificatePem, options.Clock, options.Loggers.CreateLogger<NamespaceFurnisher>());
        Objects = new ResourceHandler(store, views, lists, watches, Writer, Authorizer) { NamespaceMade = Furnisher.EnsureAsync };
        agents = new AgentClient(pki.Authority, pki.ClientCertificate("agent-client", User.ServerName));
        var relay = new AgentRelay(store, Resources, agents, options.Clock);
        Machines = new MachineSubresources(store, Resources, Writer, relay);
        Pods = new PodSubresources(store, Resources, Writer, new DisruptionGuard(lists, Resources, Writer, options.Clock), relay);
        Measurements = new MetricsHandler(lists, views, Resources, new UsageSource(agents, options.Clock, options.Loggers.CreateLogger<UsageSource>()));
        var surface = ApiSurface.Godwit with { Resources = [.. options.Registry.All, .. BuiltInKinds.Measured] };
        GuestPods = new GuestPods(lists, views, Resources, new GuestEvictions(store, lists, Resources, Writer));
        System = new SystemPaths(store, new DocumentPaths(new Discovery(surface), new OpenApi(surface, VersionDocument.GitVersion)), Metrics, options.MoreMetrics);
        Audit = options.Audit is { } audit ? new AuditTrail(audit.Policy, new AuditLog(audit, options.Clock, options.Loggers.CreateLogger<AuditLog>()), options.Clock) : null;
        Metrics.AuditEventsLost = () => Audit?.LostCount ?? 0;
        Reaper = new NamespaceReaper(store, Resources, (lists, Writer), options.Clock, options.Loggers.CreateLogger<NamespaceReaper>());
    }

    public ServedResources Resources { get; }

    public Authenticator Authenticator { get; }

    public AccessIndex Access { get; }

    public Authorizer Authorizer { get; }

    public ReviewHandler Reviews { get; }

    public TokenHandler Tokens { get; }

    public ObjectWriter Writer { get; }

    public NamespaceFurnisher Furnisher { get; }

    public QuotaKeeper Quotas { get; }

    public ResourceHandler Objects { get; }

    public MachineSubresources Machines { get; }

    public PodSubresources Pods { get; }

    public GuestPods GuestPods { get; }

    public MetricsHandler Measurements { get; }

    public SystemPaths System { get; }

    /// <summary>Null when requests are not written down.</summary>
    public AuditTrail? Audit { get; }

    public NamespaceReaper Reaper { get; }

    public ServerMetrics Metrics { get; } = new();

    public void Dispose()
    {
        agents.Dispose();
        accountTokens.Dispose();
    }

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
