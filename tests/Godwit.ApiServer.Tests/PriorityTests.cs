using System.Net;

namespace Godwit.ApiServer.Tests;

/// <summary>Priority classes, and what pods get of them.</summary>
public sealed class PriorityTests
{
    private const string Classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    private const string Pods = "/api/v1/namespaces/default/pods";
    private const string MergePatch = "application/merge-patch+json";

    [Fact]
    public async Task A_pod_has_the_priority_of_its_class_or_of_the_default_one_and_says_nothing_else()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal((2_000_000_000, 2_000_001_000), ((int)(await server.GetAsync(Classes + "/system-cluster-critical")).Body["value"]!, (int)(await server.GetAsync(Classes + "/system-node-critical")).Body["value"]!));
        Assert.Equal((0, "PreemptLowerPriority", null), await MakeAsync("plain", ""));
        Assert.Equal(HttpStatusCode.Created, (await server.PostAsync(Classes, """{"metadata":{"name":"high"},"value":1000,"preemptionPolicy":"Never"}""")).Code);
        Assert.Equal((1000, "Never", "high"), await MakeAsync("high", "\"priorityClassName\":\"high\""));
        Assert.Equal((2_000_001_000, "PreemptLowerPriority", "system-node-critical"), await MakeAsync("critical", "\"priorityClassName\":\"system-node-critical\""));

        await RefusedAsync("\"priorityClassName\":\"none\"", "no PriorityClass with name none was found");
        await RefusedAsync("\"priority\":7", "the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name");
        await RefusedAsync("\"priorityClassName\":\"high\",\"preemptionPolicy\":\"PreemptLowerPriority\"", "the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided");

        Assert.Equal(HttpStatusCode.Created, (await server.PostAsync(Classes, """{"metadata":{"name":"usual"},"value":5,"globalDefault":true}""")).Code);
        Assert.Equal((5, "PreemptLowerPriority", "usual"), await MakeAsync("usual", ""));

        // Who writes a pod anew may leave out what the server found, and can change none of it.
        var made = (await server.GetAsync(Pods + "/usual")).Body;
        made["spec"]!.AsObject().Remove("priority");
        made["metadata"]!.AsObject()["labels"] = new System.Text.Json.Nodes.JsonObject { ["a"] = "b" };
        var (code, answer) = await server.SendAsync(HttpMethod.Put, Pods + "/usual", made.ToJsonString());
        Assert.True(code == HttpStatusCode.OK, answer.ToJsonString());
        Assert.Equal(5, (int)answer["spec"]!["priority"]!);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.SendAsync(HttpMethod.Patch, Pods + "/usual", """{"spec":{"priority":9}}""", MergePatch)).Code);

        async Task<(int Priority, string? Policy, string? Class)> MakeAsync(string name, string more)
        {
            var (status, pod) = await server.PostAsync(Pods, Of(name, more));
            Assert.True(status == HttpStatusCode.Created, pod.ToJsonString());
            return ((int)pod["spec"]!["priority"]!, (string?)pod["spec"]!["preemptionPolicy"], (string?)pod["spec"]!["priorityClassName"]);
        }

        async Task RefusedAsync(string more, string why)
        {
            var (status, refusal) = await server.PostAsync(Pods, Of("refused", more));
            Assert.True(status == HttpStatusCode.Forbidden, refusal.ToJsonString());
            Assert.Contains(why, (string?)refusal["message"], StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_class_keeps_its_value_one_is_the_default_and_the_systems_names_are_its_own()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal(HttpStatusCode.Created, (await server.PostAsync(Classes, """{"metadata":{"name":"a"},"value":1,"globalDefault":true}""")).Code);
        Assert.Equal(HttpStatusCode.Created, (await server.PostAsync(Classes, """{"metadata":{"name":"b"},"value":-1}""")).Code);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.SendAsync(HttpMethod.Patch, Classes + "/a", """{"value":2}""", MergePatch)).Code);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.SendAsync(HttpMethod.Patch, Classes + "/a", """{"preemptionPolicy":"Never"}""", MergePatch)).Code);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.PostAsync(Classes, """{"metadata":{"name":"c"},"value":1000000001}""")).Code);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.PostAsync(Classes, """{"metadata":{"name":"system-mine"},"value":1}""")).Code);
        var (code, refusal) = await server.SendAsync(HttpMethod.Patch, Classes + "/b", """{"globalDefault":true}""", MergePatch);
        Assert.Equal((HttpStatusCode.Forbidden, true), (code, ((string?)refusal["message"])!.Contains("PriorityClass a is already marked as default. Only one default can exist", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Patch, Classes + "/a", """{"globalDefault":false}""", MergePatch)).Code);
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Patch, Classes + "/b", """{"globalDefault":true}""", MergePatch)).Code);
    }

    private static string Of(string name, string more) =>
        $$"""{"metadata":{"name":"{{name}}"},"spec":{"containers":[{"name":"a","image":"tiny"}]{{(more.Length > 0 ? "," : "")}}{{more}} } }""";
}
