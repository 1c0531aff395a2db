using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests.Access;

public sealed class QuotaTests
{
    private const string Core = "/api/v1/namespaces/default";

    [Fact]
    public async Task What_does_not_fit_is_refused_in_Kubernetes_words_and_fits_again_when_something_has_gone_or_ended()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync($"{Core}/resourcequotas", """{"metadata":{"name":"compute"},"spec":{"hard":{"pods":"2","limits.cpu":"1","requests.memory":"1Gi","count/widgets.godwit.dev":"1"}}}""");
        Assert.Equal(HttpStatusCode.Created, (await MakePodAsync(server, "a", "500m", "512Mi")).Code);
        await UsesAsync(server, "compute", """{"count/widgets.godwit.dev":"0","limits.cpu":"500m","pods":"1","requests.memory":"512Mi"}""");
        Assert.Equal(
            "pods \"b\" is forbidden: exceeded quota: compute, requested: limits.cpu=600m,requests.memory=1Gi, used: limits.cpu=500m,requests.memory=512Mi, limited: limits.cpu=1,requests.memory=1Gi",
            await RefusedAsync(MakePodAsync(server, "b", "600m", "1Gi")));
        Assert.Equal(HttpStatusCode.Created, (await MakePodAsync(server, "c", "500m", "512Mi")).Code);
        Assert.Equal(
            "pods \"d\" is forbidden: failed quota: compute: must specify limits.cpu for: c; requests.memory for: c",
            await RefusedAsync(server.PostAsync($"{Core}/pods", """{"metadata":{"name":"d"},"spec":{"containers":[{"name":"c","image":"i"}]}}""")));

        const string Widgets = "/apis/godwit.dev/v1alpha1/namespaces/default/widgets";
        Assert.Equal(HttpStatusCode.Created, (await server.PostAsync(Widgets, """{"metadata":{"name":"one"}}""")).Code);
        Assert.Equal(
            "widgets.godwit.dev \"two\" is forbidden: exceeded quota: compute, requested: count/widgets.godwit.dev=1, used: count/widgets.godwit.dev=1, limited: count/widgets.godwit.dev=1",
            await RefusedAsync(server.PostAsync(Widgets, """{"metadata":{"name":"two"}}""")));

        await server.SendAsync(HttpMethod.Patch, $"{Core}/pods/c/status", """{"status":{"phase":"Succeeded"}}""", "application/merge-patch+json");
        await UsesAsync(server, "compute", """{"count/widgets.godwit.dev":"1","limits.cpu":"500m","pods":"1","requests.memory":"512Mi"}""");
        Assert.Equal(HttpStatusCode.Created, (await MakePodAsync(server, "e", "500m", "512Mi")).Code);
        await server.SendAsync(HttpMethod.Delete, $"{Core}/pods/e");
        Assert.Equal(HttpStatusCode.Created, (await MakePodAsync(server, "f", "500m", "512Mi")).Code);
    }

    [Fact]
    public async Task Of_many_creates_at_once_no_more_are_let_in_than_fit()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync($"{Core}/resourcequotas", """{"metadata":{"name":"few"},"spec":{"hard":{"pods":"7","secrets":"5"}}}""");
        var pods = Enumerable.Range(0, 40).Select(number => MakePodAsync(server, $"p{number}", "1", "1"));
        var secrets = Enumerable.Range(0, 40).Select(number => server.PostAsync($"{Core}/secrets", $$"""{"metadata":{"name":"s{{number}}"} }"""));
        var made = await Task.WhenAll(pods.Concat(secrets));
        Assert.Equal((12, 68), (made.Count(each => each.Code == HttpStatusCode.Created), made.Count(each => each.Code == HttpStatusCode.Forbidden)));
        Assert.Equal(7, (await server.GetAsync($"{Core}/pods")).Body["items"]!.AsArray().Count);
        await UsesAsync(server, "few", """{"pods":"7","secrets":"5"}""");
    }

    [Fact]
    public async Task A_dry_run_takes_nothing_and_is_told_what_would_not_fit()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync($"{Core}/resourcequotas", """{"metadata":{"name":"one"},"spec":{"hard":{"secrets":"1"}}}""");
        for (var round = 0; round < 2; round++)
        {
            Assert.Equal(HttpStatusCode.Created, (await server.PostAsync($"{Core}/secrets?dryRun=All", """{"metadata":{"name":"s"}}""")).Code);
        }

        await server.PostAsync($"{Core}/secrets", """{"metadata":{"name":"s"}}""");
        Assert.Equal(HttpStatusCode.Forbidden, (await server.PostAsync($"{Core}/secrets?dryRun=All", """{"metadata":{"name":"t"}}""")).Code);
    }

    [Theory]
    [InlineData("BestEffort", "{}", true)]
    [InlineData("BestEffort", """{"requests":{"cpu":"1"}}""", false)]
    [InlineData("NotBestEffort", "{}", false)]
    [InlineData("NotBestEffort", """{"requests":{"cpu":"1"}}""", true)]
    [InlineData("Terminating", "{}", false)]
    [InlineData("NotTerminating", "{}", true)]
    public async Task A_scope_picks_the_pods_that_count(string scope, string resources, bool counts)
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync($"{Core}/resourcequotas", $$"""{"metadata":{"name":"none"},"spec":{"hard":{"pods":"0"},"scopes":["{{scope}}"]} }""");
        var (code, _) = await server.PostAsync($"{Core}/pods", $$"""{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","resources":{{resources}} }]} }""");
        Assert.Equal(counts ? HttpStatusCode.Forbidden : HttpStatusCode.Created, code);
    }

    [Theory]
    [InlineData("resourcequotas", """{"hard":{"gold":"1"}}""", "spec.hard[gold]")]
    [InlineData("resourcequotas", """{"hard":{"services.nodeports":"1"}}""", "spec.hard[services.nodeports]")]
    [InlineData("resourcequotas", """{"hard":{"pods":"-1"}}""", "spec.hard[pods]")]
    [InlineData("resourcequotas", """{"hard":{"pods":"500m"}}""", "spec.hard[pods]")]
    [InlineData("resourcequotas", """{"hard":{"pods":"1"},"scopes":["PriorityClass"]}""", "spec.scopes[0]")]
    [InlineData("resourcequotas", """{"hard":{"pods":"1"},"scopes":["BestEffort","NotBestEffort"]}""", "spec.scopes[0]")]
    [InlineData("resourcequotas", """{"hard":{"cpu":"1"},"scopes":["BestEffort"]}""", "spec.hard[cpu]")]
    [InlineData("resourcequotas", """{"hard":{"secrets":"1"},"scopes":["Terminating"]}""", "spec.hard[secrets]")]
    [InlineData("limitranges", """{"limits":[{"type":"PersistentVolumeClaim","max":{"storage":"1"}}]}""", "spec.limits[0].type")]
    [InlineData("limitranges", """{"limits":[{"type":"Pod","default":{"cpu":"1"}}]}""", "spec.limits[0].default")]
    [InlineData("limitranges", """{"limits":[{"type":"Container","min":{"cpu":"2"},"max":{"cpu":"1"}}]}""", "spec.limits[0].min[cpu]")]
    [InlineData("limitranges", """{"limits":[{"type":"Container","maxLimitRequestRatio":{"cpu":"500m"}}]}""", "spec.limits[0].maxLimitRequestRatio[cpu]")]
    [InlineData("limitranges", """{"limits":[{"type":"Pod"},{"type":"Pod"}]}""", "spec.limits[1].type")]
    public async Task Bounds_that_are_not_kept_are_refused_by_their_path(string plural, string spec, string field)
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.PostAsync($"{Core}/{plural}", $$"""{"metadata":{"name":"x"},"spec":{{spec}} }""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Contains(status["details"]!["causes"]!.AsArray(), cause => (string)cause!["field"]! == field);
    }

    [Fact]
    public async Task A_limit_range_says_what_containers_have_that_say_nothing()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync($"{Core}/limitranges", """{"metadata":{"name":"bounds"},"spec":{"limits":[{"type":"Container","max":{"cpu":"1"},"default":{"memory":"128Mi"},"defaultRequest":{"cpu":"100m"}}]}}""");
        var (code, pod) = await server.PostAsync($"{Core}/pods", """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"},{"name":"d","image":"i","resources":{"limits":{"cpu":"500m"}}}]}}""");
        Assert.Equal(HttpStatusCode.Created, code);
        Same("""{"limits":{"cpu":"1","memory":"128Mi"},"requests":{"cpu":"100m","memory":"128Mi"}}""", pod["spec"]!["containers"]![0]!["resources"]);
        Same("""{"limits":{"cpu":"500m","memory":"128Mi"},"requests":{"cpu":"500m","memory":"128Mi"}}""", pod["spec"]!["containers"]![1]!["resources"]);
        Assert.Equal("Burstable", (string)pod["status"]!["qosClass"]!);
        Assert.Equal(
            "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c; memory request for container d; memory limit for container d",
            (string)pod["metadata"]!["annotations"]!["kubernetes.io/limit-ranger"]!);
    }

    [Theory]
    [InlineData("""{"type":"Container","min":{"cpu":"100m"}}""", """{"requests":{"cpu":"50m"}}""", "minimum cpu usage per Container is 100m, but request is 50m")]
    [InlineData("""{"type":"Container","max":{"memory":"1Gi"}}""", """{"limits":{"memory":"2Gi"}}""", "maximum memory usage per Container is 1Gi, but limit is 2Gi")]
    [InlineData("""{"type":"Pod","max":{"memory":"1Gi"}}""", "{}", "maximum memory usage per Pod is 1Gi.  No limit is specified")]
    [InlineData("""{"type":"Pod","max":{"cpu":"1"}}""", """{"limits":{"cpu":"600m"}}""", "maximum cpu usage per Pod is 1, but limit is 1200m")]
    [InlineData("""{"type":"Container","maxLimitRequestRatio":{"cpu":"2"}}""", """{"requests":{"cpu":"100m"},"limits":{"cpu":"400m"}}""", "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000")]
    public async Task A_pod_out_of_bounds_is_refused_in_Kubernetes_words(string range, string resources, string words)
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync($"{Core}/limitranges", $$"""{"metadata":{"name":"bounds"},"spec":{"limits":[{{range}}]} }""");
        var container = $$"""{"image":"i","resources":{{resources}} }""";
        var refused = await RefusedAsync(server.PostAsync($"{Core}/pods", $$"""{"metadata":{"name":"p"},"spec":{"containers":[{{container.Insert(1, "\"name\":\"a\",")}},{{container.Insert(1, "\"name\":\"b\",")}}]} }"""));
        Assert.StartsWith("pods \"p\" is forbidden: ", refused, StringComparison.Ordinal);
        Assert.Contains(words, refused, StringComparison.Ordinal);
    }

    private static Task<(HttpStatusCode Code, JsonObject Body)> MakePodAsync(TestServer server, string name, string cpu, string memory) => server.PostAsync($"{Core}/pods", $$"""
        {"metadata":{"name":"{{name}}"},"spec":{"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"{{cpu}}"},"requests":{"memory":"{{memory}}"} } }]} }
        """);

    private static async Task<string> RefusedAsync(Task<(HttpStatusCode Code, JsonObject Body)> asked)
    {
        var (code, status) = await asked;
        Assert.Equal(HttpStatusCode.Forbidden, code);
        return (string)status["message"]!;
    }

    private static async Task UsesAsync(TestServer server, string quota, string expected)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!JsonNode.DeepEquals(JsonNode.Parse(expected), (await server.GetAsync($"{Core}/resourcequotas/{quota}")).Body["status"]?["used"]))
        {
            bound.Token.ThrowIfCancellationRequested();
        }
    }

    private static void Same(string expected, JsonNode? actual) => Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), actual), actual?.ToJsonString());
}
