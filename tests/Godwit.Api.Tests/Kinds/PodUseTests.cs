using CsCheck;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds.Quotas;
using Godwit.Base;

namespace Godwit.Api.Tests.Kinds;

public sealed class PodUseTests
{
    private static readonly Gen<Container> AnyContainer = Gen.Select(Gen.Int[0, 5], Gen.Bool, (request, isSidecar) => new Container
    {
        Name = "c",
        RestartPolicy = isSidecar ? "Always" : null,
        Resources = request == 0 ? null : new ContainerResources { Requests = new Dictionary<string, Quantity> { ["cpu"] = Quantity.FromCount(request) } },
    });

    /// <summary>Against the course of the pod's life, step by step.</summary>
    [Fact]
    public void A_pod_uses_the_most_that_runs_in_it_at_any_time() =>
        Gen.Select(AnyContainer.List[0, 4], AnyContainer.List[1, 4]).Sample((init, main) =>
        {
            var (stays, most) = (0m, 0m);
            foreach (var container in init)
            {
                most = Math.Max(most, stays + Of(container));
                stays += container.RestartPolicy == "Always" ? Of(container) : 0;
            }

            most = Math.Max(most, stays + main.Sum(Of));
            return PodUse.Sum(new PodSpec { InitContainers = init, Containers = main }).GetValueOrDefault("requests.cpu") == most;
        });

    private static decimal Of(Container container) => container.Resources?.Requests["cpu"].Value ?? 0;
}
