using System.Text;
using System.Text.Json.Nodes;
using Godwit.Controllers.Workloads.CronJobs;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>How the server answers the processes, broken or not.</summary>
internal sealed class MutatedAnswers(SimulatedServer server, ClusterMutation mutation, Random random)
{
    private const string Conflict = """{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"somebody else was first","reason":"Conflict","code":409}""";
    private const string NotFound = """{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"there is none","reason":"NotFound","code":404}""";

    /// <summary>What pods use, which the server would ask the agents for; null where nobody is to know.</summary>
    public Func<JsonArray>? Usage { get; set; }

    /// <summary>Binds a pod past the processes; the code of the answer.</summary>
    public int Bind(Pod pod, string node)
    {
        var binding = $$"""{"apiVersion":"v1","kind":"Binding","metadata":{"name":"{{pod.Metadata.Name}}","uid":"{{pod.Metadata.Uid}}"},"target":{"kind":"Node","name":"{{node}}"} }""";
        return Answer("POST", Pod.Type.Path(pod.Metadata.Namespace, pod.Metadata.Name, "binding"), Encoding.UTF8.GetBytes(binding), "application/json").Code;
    }

    /// <summary>Evicts a pod, as somebody does who drains its node; the code of the answer.</summary>
    public int Evict(Pod pod) => Evict(pod.Metadata.Namespace, pod.Metadata.Name);

    /// <inheritdoc cref="Evict(Pod)"/>
    public int Evict(string @namespace, string name)
    {
        var eviction = $$"""{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"{{name}}","namespace":"{{@namespace}}"} }""";
        return Answer("POST", Pod.Type.Path(@namespace, name, "eviction"), Encoding.UTF8.GetBytes(eviction), "application/json").Code;
    }

    public (int Code, byte[] Body) Answer(SentRequest request) => Answer(request.Method, request.Path, request.Body, request.ContentType);

    private (int Code, byte[] Body) Answer(string method, string pathAndQuery, byte[] body, string? contentType)
    {
        var path = pathAndQuery.Split('?')[0].Split('/');
        if (path[^1] == "pods" && path.Contains("metrics.k8s.io", StringComparer.Ordinal) && Usage is not null)
        {
            return (200, Encoding.UTF8.GetBytes(UsageList().ToJsonString()));
        }

        switch (mutation)
        {
            case ClusterMutation.AsksForNoLease when method == "GET" && path[^2] == "leases" && path[^3] == NamespaceNames.KubeNodeLease:
                return (404, Encoding.UTF8.GetBytes(NotFound));
            case ClusterMutation.WaitsForNoAgent when method == "DELETE" && path[^2] == "pods":
                server.Overwrite<Pod>(path[^3], path[^1], pod => ((JsonObject)pod["metadata"]!).Remove("finalizers"));
                break;
            case ClusterMutation.EvictsFreely when method == "POST" && path[^1] == "eviction":
                return server.Answer("DELETE", pathAndQuery[..pathAndQuery.LastIndexOf('/')]);
            case ClusterMutation.ForgetsTargets when method == "PATCH" && path[^1] == "status" && path[^3] == VirtualMachineInstanceMigration.Type.Plural:
                return server.Answer("GET", pathAndQuery[..pathAndQuery.LastIndexOf('/')]);
            case ClusterMutation.ForgetsMoves when method == "PATCH" && path[^1] == "status" && path[^3] == VirtualMachineInstance.Type.Plural:
                body = WithoutMoves(body);
                break;
            case ClusterMutation.ScalesFurther when method == "PATCH" && path[^2] == "deployments":
                body = ScaledFurther(body);
                break;
        }

        var answer = server.Answer(method, pathAndQuery, body, contentType);
        if (method == "POST" && path[^1] == "jobs")
        {
            return mutation switch
            {
                ClusterMutation.TakesStartsTwice when answer.Code == 409 => server.Answer(method, pathAndQuery, Renamed(body, "again", TimeSpan.Zero), contentType),
                ClusterMutation.StartsAllMissed when answer.Code == 201 => StartMissed(pathAndQuery, body, answer),
                _ => answer,
            };
        }

        return method == "POST" && path[^1] == "binding" ? Bound(path, body, answer) : answer;
    }

    private (int Code, byte[] Body) Bound(string[] path, byte[] body, (int Code, byte[] Body) answer) =>
        (mutation, answer.Code) switch
        {
            (ClusterMutation.ForgetsBindings, 201) => (409, Encoding.UTF8.GetBytes(Conflict)),
            (ClusterMutation.BindsTwice, 409) when server.Find<Pod>(path[^4], path[^2]) is { Metadata.DeletionTimestamp: null } => BindAgain(path[^4], path[^2], body),
            _ => answer,
        };

    private (int Code, byte[] Body) BindAgain(string @namespace, string name, byte[] binding)
    {
        var node = JsonNode.Parse(binding)!["target"]!["name"]!.DeepClone();
        server.Overwrite<Pod>(@namespace, name, pod => pod["spec"]!["nodeName"] = node);
        return (201, "{}"u8.ToArray());
    }

    private JsonObject UsageList()
    {
        var items = Usage!();
        foreach (var usage in items.Select(item => item!["containers"]![0]!["usage"]!).Where(_ => mutation == ClusterMutation.MeasuresByChance))
        {
            usage["memory"] = $"{random.Next(10, 400)}Mi";
        }

        return new JsonObject { ["kind"] = "PodMetricsList", ["apiVersion"] = "metrics.k8s.io/v1beta1", ["metadata"] = new JsonObject(), ["items"] = items };
    }

    private static byte[] WithoutMoves(byte[] body)
    {
        var patch = JsonNode.Parse(body)!.AsObject();
        (patch["status"] as JsonObject)?.Remove("migrationState");
        return Encoding.UTF8.GetBytes(patch.ToJsonString());
    }

    private static byte[] ScaledFurther(byte[] body)
    {
        var patch = JsonNode.Parse(body)!.AsObject();
        if (patch["spec"]?["replicas"] is JsonValue replicas)
        {
            patch["spec"]!["replicas"] = (int)replicas + 3;
        }

        return Encoding.UTF8.GetBytes(patch.ToJsonString());
    }

    /// <summary>The job of a cron job for another minute, or for the same under another name.</summary>
    private static byte[] Renamed(byte[] body, string suffix, TimeSpan earlier)
    {
        var job = JsonNode.Parse(body)!;
        var metadata = job["metadata"]!;
        metadata["name"] = $"{metadata["name"]}-{suffix}";
        if (metadata["annotations"]?[CronJobNames.ScheduledTimestamp] is JsonValue scheduled && Rfc3339.TryParse((string?)scheduled, out var due))
        {
            metadata["annotations"]![CronJobNames.ScheduledTimestamp] = Rfc3339.Format(due - earlier);
        }

        return Encoding.UTF8.GetBytes(job.ToJsonString());
    }

    private (int Code, byte[] Body) StartMissed(string path, byte[] body, (int Code, byte[] Body) answer)
    {
        for (var minute = 1; minute <= 3; minute++)
        {
            server.Answer("POST", path, Renamed(body, $"{minute}", TimeSpan.FromMinutes(minute)), "application/json");
        }

        return answer;
    }
}
