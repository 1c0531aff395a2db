using System.Diagnostics;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Scheduling;
using Godwit.Scheduling.Pods;

namespace Godwit.ApiBench;

/// <summary>The scheduler's decisions alone, without a server: pods placed one after the other, each on what the ones before it leave.</summary>
internal static class Decisions
{
    public static void Run(int nodes, int pods, Results results)
    {
        var cluster = new ClusterSnapshot(Enumerable.Range(0, nodes).Select(Node), []);
        var wanted = Enumerable.Range(0, pods).Select(Pod).Select(PodNeeds.Of).ToList();
        var started = Stopwatch.GetTimestamp();
        var placed = PodPlacement.ForAll(wanted, cluster, []).Count(each => each.Placement is PodPlacement.Chosen);
        var elapsed = Stopwatch.GetElapsedTime(started);
        if (placed != pods)
        {
            throw new InvalidOperationException($"Of {pods} pods {placed} found a node.");
        }

        results.Add(Row.Decided(nodes), new Sample(pods / elapsed.TotalSeconds));
    }

    private static NodeFacts Node(int number) => new()
    {
        Name = $"n{number}",
        IsReady = true,
        HasNetwork = true,
        Allocatable = new ResourceAmount(32L << 30, 16_000),
        PodsMax = 110,
        Labels = new Dictionary<string, string> { ["kubernetes.io/hostname"] = $"n{number}", ["topology.kubernetes.io/zone"] = $"z{number % 3}" },
    };

    private static Pod Pod(int number) => new()
    {
        Metadata = new ObjectMeta { Namespace = "bench", Name = $"p{number}", Uid = $"u{number}" },
        Spec = new PodSpec
        {
            HostNetwork = true,
            Containers =
            [
                new Container
                {
                    Name = "c",
                    Image = "none",
                    Resources = new ContainerResources { Requests = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse("100m"), ["memory"] = Quantity.Parse("64Mi") } },
                },
            ],
        },
    };
}
