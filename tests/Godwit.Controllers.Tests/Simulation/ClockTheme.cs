using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.Apps.V1;
using Godwit.Api.Autoscaling.V2;
using Godwit.Api.Batch.V1;
using Godwit.Controllers.Workloads;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// Cron jobs and an autoscaler while the clock of the server and of the controllers is set forwards and back, by seconds and by days, and the nodes' clocks are right. <see cref="ClockWitness"/> says what must
/// never be.
/// </summary>
internal sealed class ClockTheme(ClusterSimulation simulation) : IClusterTheme
{
    private const string Namespace = "default";
    private const string Page = "page";
    private const int LoadMebibytesMax = 800;
    private const int LoadMebibytesForEach = 100;

    /// <summary>Four pages have this to carry in the end.</summary>
    private const int LoadMebibytesAtEnd = 360;
    private const int PagesAtEnd = 4;

    /// <summary>The clock is wrong by this much at the most. It may be set forwards by days too, and then that is right from then on.</summary>
    private static readonly TimeSpan WrongMax = TimeSpan.FromMinutes(8);

    private static readonly (string Name, string Schedule, string Policy)[] Crons = [("tick", "* * * * *", "Allow"), ("tock", "*/2 * * * *", "Forbid"), ("tack", "*/3 * * * *", "Replace")];

    private readonly ClusterWorld world = simulation.World;
    private readonly ClockWitness witness = new(simulation.World);
    private int loadMebibytes = 300;
    private TimeSpan right;

    public TimeSpan WaitsLonger => TimeSpan.Zero;

    private SimulatedServer Server => world.Server;

    public void Ask()
    {
        world.Witnesses.Add(witness);
        simulation.Answers.Usage = Usage;
        foreach (var (name, schedule, policy) in Crons)
        {
            Server.Create(new CronJob
            {
                Metadata = Named(name),
                Spec = new CronJobSpec { Schedule = schedule, ConcurrencyPolicy = policy, SuccessfulJobsHistoryLimit = 2, FailedJobsHistoryLimit = 1, JobTemplate = new JobTemplate { Spec = new JobSpec { Template = Template(name, "Never") } } },
            });
        }

        Server.Create(new Deployment { Metadata = Named(Page), Spec = new DeploymentSpec { Replicas = 3, Selector = new LabelSelectorSpec { MatchLabels = new Dictionary<string, string> { ["app"] = Page } }, Template = Template(Page, null) } });
        Server.Create(new HorizontalPodAutoscaler
        {
            Metadata = Named(Page),
            Spec = new AutoscalerSpec
            {
                ScaleTargetRef = new CrossVersionReference { Kind = "Deployment", Name = Page, ApiVersion = "apps/v1" },
                MinReplicas = ClockWitness.ReplicasMin,
                MaxReplicas = ClockWitness.ReplicasMax,
                Metrics = [new MetricSpec { Type = MetricTypes.Resource, Resource = new ResourceMetric { Name = "memory", Target = new MetricTarget { Type = TargetTypes.AverageValue, AverageValue = Quantity.Parse($"{LoadMebibytesForEach}Mi") } } }],
                Behavior = new AutoscalerBehavior { ScaleDown = new ScalingRules { StabilizationWindowSeconds = 60 } },
            },
        });
    }

    public void Change()
    {
        switch (world.Random.Next(3))
        {
            case 0:
                loadMebibytes = world.Random.Next(1, LoadMebibytesMax + 1);
                world.Tell("load", $"the pages have {loadMebibytes} MiB to carry");
                break;
            case 1:
                SetClock();
                break;
            default:
                if (Pages().Find(pod => pod.Metadata.DeletionTimestamp is null) is { } victim)
                {
                    world.Tell("deletion", $"{victim.Metadata.Name} is deleted");
                    Server.Delete<Pod>(Namespace, victim.Metadata.Name);
                }

                break;
        }
    }

    /// <summary>The clock is set about a minute's end, over and over.</summary>
    public void Press()
    {
        for (var i = 0; i < 3; i++)
        {
            SetClock();
            simulation.Pass(world.Between(1, 40));
        }
    }

    public void Tend()
    {
    }

    public void Heal()
    {
        loadMebibytes = LoadMebibytesAtEnd;
        SetClock(right);
    }

    public (string Invariant, string What)? Missing()
    {
        var deployment = Server.Find<Deployment>(Namespace, Page)!;
        return witness.Replicas == PagesAtEnd && deployment.Status.AvailableReplicas == PagesAtEnd ? null
            : ("Settles", $"with a load for {PagesAtEnd}, {witness.Replicas} pages are asked for; the deployment says {GodwitJson.Serialize(deployment.Status)}, the autoscaler {GodwitJson.Serialize(Server.Find<HorizontalPodAutoscaler>(Namespace, Page)!.Status)}");
    }

    /// <summary>By then the clock has passed all that was ever started, and whatever was measured while it was wrong is long past.</summary>
    public void Conclude()
    {
        var since = witness.ReplicasSince;
        simulation.Pass(WrongMax + TimeSpan.FromMinutes(5));
        world.Check(witness.ReplicasSince == since, "Settles", () => $"with a steady load {witness.Replicas} pages are asked for after {PagesAtEnd} were");
        foreach (var (name, _, _) in Crons)
        {
            var silence = world.Now - witness.LastStart(name);
            world.Check(silence < TimeSpan.FromMinutes(4), "StartsGoOn", () => $"{name} was not started for {silence}: {GodwitJson.Serialize(Server.Find<CronJob>(Namespace, name)!.Status)}");
        }
    }

    private void SetClock()
    {
        if (world.Chance(0.1))
        {
            right += TimeSpan.FromHours(world.Random.Next(1, 100));
            SetClock(right);
        }
        else
        {
            SetClock(right + (world.Between(-1, 1) * (WrongMax.TotalSeconds * (world.Chance(0.5) ? 0.1 : 1))));
        }
    }

    private void SetClock(TimeSpan ahead)
    {
        world.Tell(ahead < world.Clock.Ahead ? "clock back" : "clock forwards", string.Create(CultureInfo.InvariantCulture, $"the clock is set by {(ahead - world.Clock.Ahead).TotalSeconds:0.0} s and is {(ahead - right).TotalSeconds:0.0} s ahead"));
        world.Clock.Set(ahead);
        witness.ClockIsSet();
    }

    /// <summary>What the pages use: each that is ready its part of the load.</summary>
    private JsonArray Usage()
    {
        var ready = Pages().Where(pod => PodFacts.IsActive(pod) && PodFacts.IsReady(pod)).ToList();
        return [.. ready.Select(pod => (JsonNode)new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = pod.Metadata.Name, ["namespace"] = Namespace },
            ["timestamp"] = "2030-01-01T00:00:00Z",
            ["window"] = "10s",
            ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["usage"] = new JsonObject { ["memory"] = $"{loadMebibytes * 1024 / ready.Count}Ki" } }),
        })];
    }

    private List<Pod> Pages() => [.. world.Pods.Values.Where(pod => pod.Metadata.Labels.GetValueOrDefault("app") == Page)];

    private static ObjectMeta Named(string name) => new() { Namespace = Namespace, Name = name };

    private static PodTemplate Template(string app, string? restartPolicy) => new()
    {
        Metadata = new ObjectMeta { Labels = new Dictionary<string, string> { ["app"] = app } },
        Spec = new PodSpec
        {
            AutomountServiceAccountToken = false, // The volume of the token has a name that is drawn outside the seed.
            RestartPolicy = restartPolicy,
            Containers = [new Container { Name = "main", Image = "tiny", Resources = new ContainerResources { Requests = new Dictionary<string, Quantity> { ["memory"] = Quantity.Parse("50Mi") } } }],
        },
    };
}
