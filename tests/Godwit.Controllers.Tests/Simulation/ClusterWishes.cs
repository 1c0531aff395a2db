using System.Text.Json.Nodes;
using Godwit.Api.Apps.V1;
using Godwit.Api.Batch.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Api.Policy.V1;
using Godwit.Api.Scheduling.V1;
using Godwit.Controllers.Workloads;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>Somebody who asks the cluster for things and keeps changing their mind, and what of it is still missing.</summary>
internal sealed class ClusterWishes(ClusterWorld world)
{
    public const int WebMax = 6;
    public const int DatabaseMax = 3;

    /// <summary>So many web stay healthy whoever is evicted, once they are protected.</summary>
    public const int HealthyMin = Protected - 1;

    private const int Protected = 4;

    private const string Namespace = "default";
    private const string Vital = "vital";
    private const int Completions = 6;
    private const int Caches = 2;

    private int webReplicas = 3;
    private int databaseReplicas = 2;
    private int version = 1;
    private int databaseVersion = 1;
    private int jobs = 1;

    private SimulatedServer Server => world.Server;

    private string JobName => $"sum-{jobs}";

    public void Ask()
    {
        Server.Create(new PriorityClass { Metadata = new ObjectMeta { Name = Vital }, Value = 1000 });
        AskForWeb();
        Server.Create(new DaemonSet { Metadata = Named("log"), Spec = new DaemonSetSpec { Selector = Selector("log"), Template = OfFirst(Template("log", 50, version)) } });
        Server.Create(new StatefulSet { Metadata = Named("cache"), Spec = new StatefulSetSpec { Replicas = Caches, ServiceName = "cache", Selector = Selector("cache"), Template = OfFirst(Template("cache", 100, 1)) } });
        Server.Create(new Service { Metadata = Named("web"), Spec = new ServiceSpec { Selector = new Dictionary<string, string> { ["app"] = "web" }, Ports = [new ServicePort { Port = 80 }] } });
        Server.Create(new StatefulSet
        {
            Metadata = Named("db"),
            Spec = new StatefulSetSpec
            {
                Replicas = databaseReplicas,
                ServiceName = "db",
                Selector = Selector("db"),
                Template = OfFirst(Template("db", 100, databaseVersion)),
                VolumeClaimTemplates =
                [
                    new PersistentVolumeClaim
                    {
                        Metadata = new ObjectMeta { Name = "data" },
                        Spec = new PersistentVolumeClaimSpec { AccessModes = [VolumeAccessModes.ReadWriteOnce], Resources = new ContainerResources { Requests = new Dictionary<string, Quantity> { ["storage"] = Quantity.Parse("1Gi") } } },
                    },
                ],
            },
        });
        AskForJob();
    }

    /// <summary>Other numbers are asked for.</summary>
    public void Scale(int web, int database)
    {
        (webReplicas, databaseReplicas) = (web, database);
        world.Tell("scale", $"{webReplicas} web and {databaseReplicas} db are asked for");
        Patch<Deployment>("web", new JsonObject { ["replicas"] = webReplicas });
        Patch<StatefulSet>("db", new JsonObject { ["replicas"] = databaseReplicas });
    }

    /// <summary>So many web are asked for that some node has two of them, and all but one are to stay healthy whoever is evicted.</summary>
    public void Protect()
    {
        ScaleToProtected();
        Server.Create(new PodDisruptionBudget { Metadata = Named("web"), Spec = new PodDisruptionBudgetSpec { MinAvailable = new IntOrText(HealthyMin, null), Selector = Selector("web") } });
    }

    public void ScaleToProtected() => Scale(Protected, databaseReplicas);

    /// <summary>Something else is asked for, or a pod is deleted.</summary>
    public void Change()
    {
        switch (world.Random.Next(7))
        {
            case 0:
                Scale(world.Random.Next(0, WebMax + 1), world.Random.Next(0, DatabaseMax + 1));
                break;
            case 1:
                world.Tell("version", $"version {++version} of web and log is asked for");
                Patch<Deployment>("web", Renew(version));
                Patch<DaemonSet>("log", Renew(version));
                break;
            case 2:
                world.Tell("database version", $"version {++databaseVersion} of db is asked for");
                Patch<StatefulSet>("db", Renew(databaseVersion));
                break;
            case 3:
                world.Tell("anew", "web is deleted and asked for anew");
                Server.Delete<Deployment>(Namespace, "web");
                AskForWeb();
                break;
            case 4:
                world.Tell("job", $"{JobName} is deleted, and another asked for");
                Server.Answer("DELETE", Job.Type.Path(Namespace, JobName) + "?propagationPolicy=Background");
                jobs++;
                AskForJob();
                break;
            default:
                if (world.Pods.Values.Where(pod => pod.Metadata.DeletionTimestamp is null).ToList() is { Count: > 0 } all)
                {
                    var victim = all[world.Random.Next(all.Count)];
                    world.Tell("deletion", $"{victim.Metadata.Name} is deleted");
                    Server.Delete<Pod>(Namespace, victim.Metadata.Name);
                }

                break;
        }
    }

    /// <summary>What is not as was asked, or not said to be; empty when all is.</summary>
    public string Missing()
    {
        var web = Server.Find<Deployment>(Namespace, "web")!;
        var database = Server.Find<StatefulSet>(Namespace, "db")!;
        var daemons = Server.Find<DaemonSet>(Namespace, "log")!;
        var job = Server.Find<Job>(Namespace, JobName)!;
        var addresses = Server.List<EndpointSlice>().Where(slice => slice.Metadata.Name.StartsWith("web", StringComparison.Ordinal)).SelectMany(slice => slice.Endpoints).SelectMany(endpoint => endpoint.Addresses).ToHashSet(StringComparer.Ordinal);
        var (pages, records, logs, caches) = (Of("web"), Of("db"), Of("log"), Of("cache"));
        var wanted = new List<(bool Is, string What)>
        {
            (Are(pages, webReplicas, version), $"web is {Words(pages)}"),
            (pages.Select(pod => pod.Status.PodIP ?? "").ToHashSet(StringComparer.Ordinal).SetEquals(addresses), $"behind the service are {string.Join(", ", addresses)} and web is {Words(pages)}"),
            (web.Status.AvailableReplicas == webReplicas && web.Status.UpdatedReplicas == webReplicas, $"the deployment says {GodwitJson.Serialize(web.Status)}"),
            (Are(records, databaseReplicas, databaseVersion), $"db is {Words(records)}"),
            (database.Status.ReadyReplicas == databaseReplicas, $"the stateful set says {GodwitJson.Serialize(database.Status)}"),
            (Are(caches, Caches, 1), $"cache is {Words(caches)}"),
            (Are(logs, world.Nodes.Count, version), $"log is {Words(logs)}"),
            (daemons.Status.NumberAvailable == world.Nodes.Count, $"the daemon set says {GodwitJson.Serialize(daemons.Status)}"),
            (job.Status.Succeeded == Completions && job.Status.Conditions.Any(condition => condition is { Type: "Complete", Status: ConditionStatuses.True }), $"the job says {GodwitJson.Serialize(job.Status)}"),
            (world.Pods.Values.All(pod => pod.Metadata.Labels.GetValueOrDefault("app") is "web" or "db" or "log" or "cache" || PodFacts.ControllerOf(pod)?.Name == JobName), $"there are {Words(world.Pods.Values)}"),
        };
        return wanted.FirstOrDefault(each => !each.Is).What ?? "";
    }

    private void AskForWeb() => Server.Create(new Deployment { Metadata = Named("web"), Spec = new DeploymentSpec { Replicas = webReplicas, Selector = Selector("web"), Template = Template("web", 100, version) } });

    private void AskForJob()
    {
        var template = Template("sum", 100, 1);
        Server.Create(new Job
        {
            Metadata = Named(JobName),
            Spec = new JobSpec { Completions = Completions, Parallelism = 2, BackoffLimit = 1000, Template = template with { Metadata = new ObjectMeta(), Spec = template.Spec! with { RestartPolicy = "Never" } } },
        });
    }

    private void Patch<T>(string name, JsonObject spec)
        where T : Resource, IResource<T> => Server.TryPatch<T>(Namespace, name, new JsonObject { ["spec"] = spec });

    private static JsonObject Renew(int version) => new() { ["template"] = new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { ["version"] = $"{version}" } } } };

    /// <summary>What can run on one node only, or must not wait: it takes the room of others.</summary>
    private static PodTemplate OfFirst(PodTemplate template) => template with { Spec = template.Spec! with { PriorityClassName = Vital } };

    private static ObjectMeta Named(string name) => new() { Namespace = Namespace, Name = name };

    private static LabelSelectorSpec Selector(string app) => new() { MatchLabels = new Dictionary<string, string> { ["app"] = app } };

    private static PodTemplate Template(string app, int mebibytes, int version) => new()
    {
        Metadata = new ObjectMeta { Labels = new Dictionary<string, string> { ["app"] = app }, Annotations = new Dictionary<string, string> { ["version"] = $"{version}" } },
        Spec = new PodSpec
        {
            AutomountServiceAccountToken = false, // The volume of the token has a name that is drawn outside the seed.
            Containers =
            [
                new Container { Name = "main", Image = "tiny", Resources = new ContainerResources { Requests = new Dictionary<string, Quantity> { ["memory"] = Quantity.Parse($"{mebibytes}Mi") } } },
            ],
        },
    };

    public int HealthyWebCount => ReadyWeb().Count;

    public List<Pod> ReadyWeb() => [.. Of("web").Where(pod => pod.Metadata.DeletionTimestamp is null && PodFacts.IsReady(pod))];

    public List<Pod> WebOn(string node) => [.. Of("web").Where(pod => pod.Spec.NodeName == node)];

    private List<Pod> Of(string app) => [.. world.Pods.Values.Where(pod => pod.Metadata.Labels.GetValueOrDefault("app") == app)];

    private static bool Are(List<Pod> pods, int count, int version) =>
        pods.Count == count && pods.TrueForAll(pod => PodFacts.IsReady(pod) && PodFacts.IsActive(pod) && pod.Metadata.Annotations.GetValueOrDefault("version") == $"{version}");

    private static string Words(IEnumerable<Pod> pods) => string.Join(", ", pods.Select(pod =>
        $"{pod.Metadata.Name} (version {pod.Metadata.Annotations.GetValueOrDefault("version")}, {pod.Spec.NodeName ?? "nowhere"}, {pod.Status.Phase}{(pod.Metadata.DeletionTimestamp is null ? "" : ", going")}{(PodFacts.IsReady(pod) ? ", ready" : "")}: {pod.Status.Conditions.FirstOrDefault(condition => condition.Type == PodConditionTypes.PodScheduled)?.Message})"));
}
