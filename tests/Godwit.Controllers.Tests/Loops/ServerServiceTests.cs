using System.Net;
using Godwit.Api.Discovery.V1;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Controllers.Tests.Loops;

public sealed class ServerServiceTests
{
    private static readonly IPEndPoint First = IPEndPoint.Parse("192.0.2.10:6443");
    private static readonly IPEndPoint Second = IPEndPoint.Parse("192.0.2.11:6443");

    private static CancellationToken Stopping => TestCluster.Stopping;

    [Fact]
    public async Task Behind_the_service_kubernetes_are_the_servers_that_say_that_they_are_there_and_a_silent_one_is_taken_out()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var cluster = await TestCluster.StartAsync(clock);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        using var dying = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        var living = ServerPresence.RunAsync(cluster.Client, First, "one", clock, NullLogger.Instance, ending.Token);
        var dead = ServerPresence.RunAsync(cluster.Client, Second, "two", clock, NullLogger.Instance, dying.Token);

        var service = await cluster.UntilAsync<Service>("kubernetes", _ => true);
        Assert.Equal(("10.96.0.1", 443, 6443), (service.Spec.ClusterIP, service.Spec.Ports.Single().Port, service.Spec.Ports.Single().TargetPort!.Value.Number));
        await cluster.UntilAsync<Endpoints>("kubernetes", endpoints => AddressesOf(endpoints).SequenceEqual(["192.0.2.10", "192.0.2.11"]));
        await cluster.UntilAsync<EndpointSlice>("kubernetes", slice => slice.Endpoints.Count == 2 && slice.Ports.Single().Port == 6443);

        await dying.CancelAsync();
        await dead;
        await cluster.UntilAsync<Endpoints>("kubernetes", endpoints => AddressesOf(endpoints).SequenceEqual(["192.0.2.10"]), meanwhile: () => clock.Advance(TimeSpan.FromMilliseconds(100)));
        await cluster.UntilAsync<EndpointSlice>("kubernetes", slice => slice.Endpoints.Count == 1);

        // What a person takes away comes back, at the same address.
        await cluster.Client.For<Service>().DeleteAsync(new ResourceKey("default", "kubernetes"), new DeleteOptions(), Stopping);
        await cluster.UntilAsync<Service>("kubernetes", again => again.Metadata.Uid != service.Metadata.Uid && again.Spec.ClusterIP == "10.96.0.1");
        await ending.CancelAsync();
        await living;
    }

    private static IEnumerable<string> AddressesOf(Endpoints endpoints) => endpoints.Subsets.SelectMany(subset => subset.Addresses).Select(address => address.Ip);
}
