using Godwit.Api.Apps.V1;
using Godwit.Api.Autoscaling.V2;
using Godwit.Api.Batch.V1;
using Godwit.Api.Coordination.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Api.Policy.V1;
using Godwit.Api.Storage.V1;
using Godwit.Scheduling;
using Godwit.Scheduling.Volumes;

namespace Godwit.Controllers;

/// <summary>What the controllers see of the cluster, and the clients by which they change it. One for each term of leadership.</summary>
internal sealed class ClusterView
{
    private readonly ClusterClient client;
    private readonly TimeProvider clock;
    private readonly ILogger logger;
    private readonly List<IResourceCache> caches = [];

    public ClusterView(ClusterClient client, EventRecorder events, TimeProvider clock, ILogger logger)
    {
        this.client = client;
        this.clock = clock;
        this.logger = logger;
        Events = events;
        Nodes = Follow<Node>();
        NodeLeases = Follow<Lease>(NamespaceNames.KubeNodeLease);
        ServerLeases = Follow<Lease>(NamespaceNames.KubeSystem, $"{LabelNames.ServerIdentity}={ServerPresence.Identity}");
        Settings = Follow<ConfigMap>(NamespaceNames.KubeSystem);
        Namespaces = Follow<Namespace>();
        VirtualMachines = Follow<VirtualMachine>();
        Instances = Follow<VirtualMachineInstance>();
        Pods = Follow<Pod>(groupOf: pod => pod.Spec.NodeName);
        Claims = Follow<PersistentVolumeClaim>();
        Volumes = Follow<PersistentVolume>();
        StorageClasses = Follow<StorageClass>();
        Services = Follow<Service>();
        Slices = Follow<EndpointSlice>();
        Endpoints = Follow<Endpoints>();
        ReplicaSets = Follow<ReplicaSet>();
        Deployments = Follow<Deployment>();
        ReplicationControllers = Follow<ReplicationController>();
        Budgets = Follow<PodDisruptionBudget>();
        Autoscalers = Follow<HorizontalPodAutoscaler>();
        StatefulSets = Follow<StatefulSet>();
        DaemonSets = Follow<DaemonSet>();
        Revisions = Follow<ControllerRevision>();
        Jobs = Follow<Job>();
        CronJobs = Follow<CronJob>();
        Migrations = Follow<VirtualMachineInstanceMigration>();
        Policies = Follow<MigrationPolicy>();
        Forecasts = Follow<Forecast>();
        Groups = Follow<GroupMigration>();
    }

    public EventRecorder Events { get; }

    public ResourceCache<Node> Nodes { get; }

    public ResourceCache<Lease> NodeLeases { get; }

    /// <summary>By which servers say that they are there.</summary>
    public ResourceCache<Lease> ServerLeases { get; }

    /// <summary>ConfigMaps of kube-system.</summary>
    public ResourceCache<ConfigMap> Settings { get; }

    public ResourceCache<Namespace> Namespaces { get; }

    public ResourceCache<VirtualMachine> VirtualMachines { get; }

    public ResourceCache<VirtualMachineInstance> Instances { get; }

    /// <summary>Grouped by the node that they have.</summary>
    public ResourceCache<Pod> Pods { get; }

    public ResourceCache<PersistentVolumeClaim> Claims { get; }

    public ResourceCache<PersistentVolume> Volumes { get; }

    public ResourceCache<StorageClass> StorageClasses { get; }

    public ResourceCache<Service> Services { get; }

    public ResourceCache<EndpointSlice> Slices { get; }

    public ResourceCache<Endpoints> Endpoints { get; }

    public ResourceCache<ReplicaSet> ReplicaSets { get; }

    public ResourceCache<Deployment> Deployments { get; }

    public ResourceCache<ReplicationController> ReplicationControllers { get; }

    public ResourceCache<PodDisruptionBudget> Budgets { get; }

    public ResourceCache<HorizontalPodAutoscaler> Autoscalers { get; }

    public ResourceCache<StatefulSet> StatefulSets { get; }

    public ResourceCache<DaemonSet> DaemonSets { get; }

    public ResourceCache<ControllerRevision> Revisions { get; }

    public ResourceCache<Job> Jobs { get; }

    public ResourceCache<CronJob> CronJobs { get; }

    public ResourceCache<VirtualMachineInstanceMigration> Migrations { get; }

    public ResourceCache<MigrationPolicy> Policies { get; }

    public ResourceCache<Forecast> Forecasts { get; }

    public ResourceCache<GroupMigration> Groups { get; }

    public ResourceClient<T> ClientOf<T>()
        where T : Resource, IResource<T> => client.For<T>();

    /// <summary>Room and reservations as they are known now, our own latest decisions included.</summary>
    public ClusterSnapshot Snapshot() => Snapshot(Pods.Current.Items);

    /// <summary>The same with another view of the pods.</summary>
    public ClusterSnapshot Snapshot(IEnumerable<Pod> pods) => ClusterSnapshot.Of(
        Nodes.Current.Items, Instances.Current.Items, Migrations.Current.Items, pods, Namespaces.Current.Items);

    /// <summary>Claims, volumes and classes as they are known now.</summary>
    public StorageView Storage() => new(Claims.Current.Items, Volumes.Current.Items, StorageClasses.Current.Items);

    /// <summary>Follows everything until cancelled.</summary>
    public Task RunAsync(CancellationToken stopping) => Task.WhenAll(caches.Select(cache => cache.RunAsync(stopping)));

    /// <summary>Until everything has been listed once, or following has ended.</summary>
    public async Task WaitForSyncAsync()
    {
        foreach (var cache in caches)
        {
            await cache.Synced;
        }
    }

    private ResourceCache<T> Follow<T>(string? @namespace = null, string? labelSelector = null, Func<T, string?>? groupOf = null)
        where T : Resource, IResource<T>
    {
        var cache = new ResourceCache<T>(client.For<T>(), new ListOptions { Namespace = @namespace, LabelSelector = labelSelector }, clock, logger, groupOf);
        caches.Add(cache);
        return cache;
    }
}
