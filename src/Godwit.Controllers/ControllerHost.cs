using Godwit.Controllers.Addresses;
using Godwit.Controllers.Forecasts;
using Godwit.Controllers.Garbage;
using Godwit.Controllers.Groups;
using Godwit.Controllers.Migrations;
using Godwit.Controllers.Nodes;
using Godwit.Controllers.Placements;
using Godwit.Controllers.Services;
using Godwit.Controllers.Storage;
using Godwit.Controllers.VirtualMachines;
using Godwit.Controllers.Workloads;
using Godwit.Controllers.Workloads.Autoscaling;
using Godwit.Controllers.Workloads.CronJobs;
using Godwit.Controllers.Workloads.DaemonSets;
using Godwit.Controllers.Workloads.Deployments;
using Godwit.Controllers.Workloads.Disruptions;
using Godwit.Controllers.Workloads.Jobs;
using Godwit.Controllers.Workloads.ReplicaSets;
using Godwit.Controllers.Workloads.ReplicationControllers;
using Godwit.Controllers.Workloads.StatefulSets;

namespace Godwit.Controllers;

/// <summary>How the controllers run.</summary>
public sealed record ControllerOptions
{
    /// <summary>Who this process is among those that may lead; unique for each process.</summary>
    public required string Identity { get; init; }

    public MigrationLimits Migrations { get; init; } = new();

    /// <summary>Another process takes over when this one has not been heard of for so long.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Jitter of waits, uniform in [0, 1); null takes the shared generator.</summary>
    internal Func<double>? Chance { get; init; }
}

/// <summary>
/// Runs all controllers while this process leads. A term of leadership starts from an empty view and ends with it, so
/// nothing learned in one term is believed in the next.
/// </summary>
public sealed class ControllerHost
{
    private readonly ClusterClient client;
    private readonly ControllerOptions options;
    private readonly TimeProvider clock;
    private readonly ILogger logger;
    private readonly LeaderElection election;
    private volatile IReadOnlyList<IController> running = [];

    public ControllerHost(ClusterClient client, ControllerOptions options, TimeProvider clock, ILoggerFactory loggers)
    {
        this.client = client;
        this.options = options;
        this.clock = clock;
        logger = loggers.CreateLogger("Godwit.Controllers");
        var lease = new LeaderElectionOptions(new ResourceKey(NamespaceNames.KubeSystem, "godwit-controllers"), options.Identity)
        {
            LeaseDuration = options.LeaseDuration,
            RenewDeadline = options.LeaseDuration * 2 / 3,
        };
        election = new LeaderElection(client.For<Api.Coordination.V1.Lease>(), lease, clock, logger);
    }

    /// <summary>Whether this process leads, and what each controller has done in this term.</summary>
    public bool IsLeading => election.IsLeading;

    /// <summary>Looks, failures and waiting keys of each controller in this term, by its name; empty when another process leads.</summary>
    public IReadOnlyDictionary<string, ControllerCounts> Counts =>
        running.ToDictionary(controller => controller.Name, controller => controller.Counts, StringComparer.Ordinal);

    /// <summary>The same as Prometheus' text.</summary>
    public string WriteMetrics() => ControllerMetrics.Write(IsLeading, Counts);

    public static Task RunAsync(
        ClusterClient client, ControllerOptions options, TimeProvider clock, ILoggerFactory loggers, CancellationToken stopping) =>
        new ControllerHost(client, options, clock, loggers).RunAsync(stopping);

    /// <summary>Leads whenever it can, until cancelled.</summary>
    public Task RunAsync(CancellationToken stopping) => election.RunAsync(LeadAsync, stopping);

    private async Task LeadAsync(CancellationToken stopping)
    {
        var events = new EventRecorder(client, "godwit-controllers", null, clock, logger);
        var view = new ClusterView(client, events, clock, logger);
        var following = view.RunAsync(stopping);
        var recording = events.RunAsync(stopping);
        try
        {
            await view.WaitForSyncAsync();
            var keeper = new PodKeeper(view, clock);
            running =
            [
                new VirtualMachineController(view, clock, logger),
                new AddressController(view, clock, logger),
                new PlacementController(view, clock, logger),
                new StorageController(view, clock, logger),
                new MigrationController(view, options.Migrations, clock, logger),
                new GroupController(view, options.Migrations, clock, logger),
                new MigrationRecordController(view, options.Migrations, clock, logger),
                new ForecastController(view, clock, logger),
                new ReplicaSetController(view, keeper, clock, logger),
                new ReplicationControllerController(view, keeper, clock, logger),
                new DeploymentController(view, clock, logger),
                new StatefulSetController(view, keeper, clock, logger),
                new DaemonSetController(view, keeper, clock, logger),
                new JobController(view, keeper, clock, logger),
                new CronJobController(view, clock, logger),
                new DisruptionController(view, clock, logger),
                new HorizontalController(view, clock, logger),
                new ServiceController(view, clock, logger),
                new ServerServiceController(view, clock, logger),
                new NodeLifecycleController(view, clock, logger),
                new PodEvictionController(view, clock, logger),
                new EndedPods(view, clock, logger),
                new GarbageController(view, clock, logger),
                new EventExpiry(view.ClientOf<Event>(), clock, logger),
            ];
            foreach (var controller in running)
            {
                controller.Chance = options.Chance;
            }

            await Task.WhenAll(running.Select(controller => controller.RunAsync(stopping)));
        }
        finally
        {
            running = [];
            await Task.WhenAll(following, recording); // Both end by the same cancellation.
        }
    }
}
