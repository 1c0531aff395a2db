using System.Net;

namespace Godwit.ApiServer.Tests;

/// <summary>Addresses and ports that services ask for.</summary>
public sealed class ServiceAddressTests
{
    private const string Services = "/api/v1/namespaces/default/services";
    private const string MergePatch = "application/merge-patch+json";

    [Fact]
    public async Task An_address_that_is_free_is_kept_and_one_that_is_taken_or_out_of_range_is_refused()
    {
        await using var server = await TestServer.StartAsync();
        var (code, made) = await server.PostAsync(Services, Of("a", "10.96.0.9", 30_100));
        Assert.True(code == HttpStatusCode.Created, made.ToJsonString());
        Assert.Equal(("10.96.0.9", 30_100), ((string?)made["spec"]!["clusterIP"], (int)made["spec"]!["ports"]![0]!["nodePort"]!));

        await RefusedAsync("10.96.0.9", 30_101, "provided IP is already allocated");
        await RefusedAsync("10.96.0.10", 30_100, "provided port is already allocated");
        await RefusedAsync("10.96.0.10", 29_999, "The range of valid ports is 30000-32767");
        await RefusedAsync("10.95.0.1", 30_101, "The range of valid IPs is 10.96.0.0/16");
        await RefusedAsync("10.96.0.0", 30_101, "is not in the valid range");
        await RefusedAsync("10.96.255.255", 30_101, "is not in the valid range");

        // A change that claims nothing new passes, one that claims what another has does not, and one's own is one's own.
        Assert.Equal(HttpStatusCode.Created, (await server.PostAsync(Services, Of("b", "10.96.0.10", 30_101))).Code);
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Patch, Services + "/b", """{"metadata":{"labels":{"x":"y"}}}""", MergePatch)).Code);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.SendAsync(HttpMethod.Patch, Services + "/b", """{"spec":{"ports":[{"port":80,"nodePort":30100}]}}""", MergePatch)).Code);
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Patch, Services + "/b", """{"spec":{"ports":[{"port":81,"nodePort":30101}]}}""", MergePatch)).Code);

        // What is given back may be another's.
        await server.SendAsync(HttpMethod.Delete, Services + "/a");
        Assert.Equal(HttpStatusCode.Created, (await server.PostAsync(Services, Of("c", "10.96.0.9", 30_100))).Code);

        await server.PostAsync("/api/v1/namespaces/kube-system/configmaps", """{"metadata":{"name":"godwit-network"},"data":{"serviceCidr":"10.200.0.0/24"}}""");
        await RefusedAsync("10.96.0.11", 30_102, "The range of valid IPs is 10.200.0.0/24");
        Assert.Equal(HttpStatusCode.Created, (await server.PostAsync(Services, Of("d", "10.200.0.254", 30_102))).Code);

        async Task RefusedAsync(string address, int port, string why)
        {
            var (refused, answer) = await server.PostAsync(Services, Of("refused", address, port));
            Assert.True(refused == HttpStatusCode.UnprocessableEntity, answer.ToJsonString());
            Assert.Contains(why, (string?)answer["message"], StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Of_many_that_claim_one_address_at_several_servers_one_gets_it()
    {
        await using var one = await TestServer.StartAsync(sharesStore: true);
        await using var two = await one.BesideAsync();
        var made = await Task.WhenAll(Enumerable.Range(0, 40).Select(number => (number % 2 == 0 ? one : two).PostAsync(Services, Of($"s{number}", "10.96.0.9", 30_000 + number))));
        Assert.Equal((1, 39), (made.Count(each => each.Code == HttpStatusCode.Created), made.Count(each => each.Code == HttpStatusCode.UnprocessableEntity)));

        // The same when services that are there get theirs, as the controller gives it.
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 20).Select(number => one.PostAsync(Services, $$"""{"metadata":{"name":"w{{number}}"},"spec":{"ports":[{"port":80}]} }"""))), each => Assert.Equal(HttpStatusCode.Created, each.Code));
        var given = await Task.WhenAll(Enumerable.Range(0, 20).Select(number =>
            (number % 2 == 0 ? one : two).SendAsync(HttpMethod.Patch, $"{Services}/w{number}", """{"spec":{"clusterIP":"10.96.0.10","clusterIPs":["10.96.0.10"]}}""", MergePatch)));
        Assert.Equal((1, 19), (given.Count(each => each.Code == HttpStatusCode.OK), given.Count(each => each.Code == HttpStatusCode.UnprocessableEntity)));
    }

    private static string Of(string name, string address, int port) =>
        $$"""{"metadata":{"name":"{{name}}"},"spec":{"type":"NodePort","clusterIP":"{{address}}","ports":[{"port":80,"nodePort":{{port}} }]} }""";
}
