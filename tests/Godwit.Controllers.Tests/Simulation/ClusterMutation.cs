using System.Text;
using System.Text.Json.Nodes;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>What can be broken on purpose, to see that the simulation would notice. Each is of the simulation's own wiring, between the processes and the server: the product has no switch for it.</summary>
internal enum ClusterMutation
{
    None,

    /// <summary>The server lets a pod that has a node be bound to another.</summary>
    BindsTwice,

    /// <summary>Who binds does not remember that the server said yes: for them it is as though the server had said that somebody else was there first.</summary>
    ForgetsBindings,

    /// <summary>No Lease is read before a node is called silent: the answer is that there is none, by which nobody learns anything.</summary>
    AsksForNoLease,

    /// <summary>The server lets a pod go at once that is deleted, though its node runs it.</summary>
    WaitsForNoAgent,

    /// <summary>The server lets every pod be evicted, whatever its budget says.</summary>
    EvictsFreely,
}

/// <summary>How the server answers the processes, broken or not.</summary>
internal sealed class MutatedAnswers(SimulatedServer server, ClusterMutation mutation)
{
    private const string Conflict = """{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"somebody else was first","reason":"Conflict","code":409}""";
    private const string NotFound = """{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"there is none","reason":"NotFound","code":404}""";

    /// <summary>Binds a pod past the processes; the code of the answer.</summary>
    public int Bind(Pod pod, string node)
    {
        var binding = $$"""{"apiVersion":"v1","kind":"Binding","metadata":{"name":"{{pod.Metadata.Name}}","uid":"{{pod.Metadata.Uid}}"},"target":{"kind":"Node","name":"{{node}}"} }""";
        return Answer("POST", Pod.Type.Path(pod.Metadata.Namespace, pod.Metadata.Name, "binding"), Encoding.UTF8.GetBytes(binding), "application/json").Code;
    }

    /// <summary>Evicts a pod, as somebody does who drains its node; the code of the answer.</summary>
    public int Evict(Pod pod)
    {
        var eviction = $$"""{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"{{pod.Metadata.Name}}","namespace":"{{pod.Metadata.Namespace}}"} }""";
        return Answer("POST", Pod.Type.Path(pod.Metadata.Namespace, pod.Metadata.Name, "eviction"), Encoding.UTF8.GetBytes(eviction), "application/json").Code;
    }

    public (int Code, byte[] Body) Answer(SentRequest request) => Answer(request.Method, request.Path, request.Body, request.ContentType);

    private (int Code, byte[] Body) Answer(string method, string pathAndQuery, byte[] body, string? contentType)
    {
        var path = pathAndQuery.Split('?')[0].Split('/');
        switch (mutation)
        {
            case ClusterMutation.AsksForNoLease when method == "GET" && path[^2] == "leases" && path[^3] == NamespaceNames.KubeNodeLease:
                return (404, Encoding.UTF8.GetBytes(NotFound));
            case ClusterMutation.WaitsForNoAgent when method == "DELETE" && path[^2] == "pods":
                server.Overwrite<Pod>(path[^3], path[^1], pod => ((JsonObject)pod["metadata"]!).Remove("finalizers"));
                break;
            case ClusterMutation.EvictsFreely when method == "POST" && path[^1] == "eviction":
                return server.Answer("DELETE", pathAndQuery[..pathAndQuery.LastIndexOf('/')]);
        }

        var answer = server.Answer(method, pathAndQuery, body, contentType);
        if (method != "POST" || path[^1] != "binding")
        {
            return answer;
        }

        return (mutation, answer.Code) switch
        {
            (ClusterMutation.ForgetsBindings, 201) => (409, Encoding.UTF8.GetBytes(Conflict)),
            (ClusterMutation.BindsTwice, 409) when server.Find<Pod>(path[^4], path[^2]) is { Metadata.DeletionTimestamp: null } => BindAgain(path[^4], path[^2], body),
            _ => answer,
        };
    }

    private (int Code, byte[] Body) BindAgain(string @namespace, string name, byte[] binding)
    {
        var node = JsonNode.Parse(binding)!["target"]!["name"]!.DeepClone();
        server.Overwrite<Pod>(@namespace, name, pod => pod["spec"]!["nodeName"] = node);
        return (201, "{}"u8.ToArray());
    }
}
