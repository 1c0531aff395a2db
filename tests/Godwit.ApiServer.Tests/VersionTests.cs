using System.Net;

namespace Godwit.ApiServer.Tests;

/// <summary>One kind in two versions, over one store.</summary>
public sealed class VersionTests
{
    private const string Newer = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
    private const string Older = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
    private const string MergePatch = "application/merge-patch+json";

    [Fact]
    public async Task What_is_written_in_one_version_is_read_changed_and_watched_in_the_other()
    {
        await using var server = await TestServer.StartAsync();
        using var newer = await server.WatchAsync(Newer + "?watch=true&allowWatchBookmarks=false");
        using var older = await server.WatchAsync(Older + "?watch=true&allowWatchBookmarks=false");
        var (code, made) = await server.PostAsync(Older, """{"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler","metadata":{"name":"web"},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},"maxReplicas":3,"targetCPUUtilizationPercentage":60}}""");
        Assert.True(code == HttpStatusCode.Created, made.ToJsonString());
        Assert.Equal(("autoscaling/v1", 60, 1), ((string?)made["apiVersion"], (int)made["spec"]!["targetCPUUtilizationPercentage"]!, (int)made["spec"]!["minReplicas"]!));

        var read = (await server.GetAsync(Newer + "/web")).Body;
        Assert.Equal(("autoscaling/v2", 60), ((string?)read["apiVersion"], (int)read["spec"]!["metrics"]![0]!["resource"]!["target"]!["averageUtilization"]!));
        Assert.Equal((string?)made["metadata"]!["resourceVersion"], (string?)read["metadata"]!["resourceVersion"]);
        Assert.Equal("autoscaling/v2", (string?)(await newer.NextAsync())!.Value.Object["apiVersion"]);
        Assert.Equal("autoscaling/v1", (string?)(await older.NextAsync())!.Value.Object["apiVersion"]);

        var (changed, answer) = await server.SendAsync(HttpMethod.Patch, Newer + "/web", """{"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":7}}}}""", MergePatch);
        Assert.True(changed == HttpStatusCode.OK, answer.ToJsonString());
        // A client that knows the older version alone changes what it knows, and takes nothing else away.
        (changed, answer) = await server.SendAsync(HttpMethod.Patch, Older + "/web", """{"spec":{"maxReplicas":5,"targetCPUUtilizationPercentage":70}}""", MergePatch);
        Assert.True(changed == HttpStatusCode.OK, answer.ToJsonString());
        read = (await server.GetAsync(Newer + "/web")).Body;
        Assert.Equal((5, 70, 7), ((int)read["spec"]!["maxReplicas"]!, (int)read["spec"]!["metrics"]![0]!["resource"]!["target"]!["averageUtilization"]!, (int)read["spec"]!["behavior"]!["scaleDown"]!["stabilizationWindowSeconds"]!));
        Assert.Null(read["metadata"]!["annotations"]);

        Assert.Equal("HorizontalPodAutoscalerList", (string?)(await server.GetAsync(Older)).Body["kind"]);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.SendAsync(HttpMethod.Patch, Older + "/web", """{"spec":{"maxReplicas":0}}""", MergePatch)).Code);
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Delete, Older + "/web")).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync(Newer + "/web")).Code);
    }

    [Fact]
    public async Task An_event_is_one_object_in_two_groups()
    {
        const string Core = "/api/v1/namespaces/default/events";
        const string Events = "/apis/events.k8s.io/v1/namespaces/default/events";
        await using var server = await TestServer.StartAsync();
        using var core = await server.WatchAsync(Core + "?watch=true&allowWatchBookmarks=false");
        using var events = await server.WatchAsync(Events + "?watch=true&allowWatchBookmarks=false");
        var (code, made) = await server.PostAsync(Core, """{"apiVersion":"v1","kind":"Event","metadata":{"name":"a"},"involvedObject":{"kind":"Pod","name":"web","namespace":"default"},"reason":"Started","message":"It runs.","type":"Normal","count":3,"lastTimestamp":"2026-01-01T00:00:00Z","source":{"component":"agent"}}""");
        Assert.True(code == HttpStatusCode.Created, made.ToJsonString());

        var read = (await server.GetAsync(Events + "/a")).Body;
        Assert.Equal(("events.k8s.io/v1", "It runs.", "web", 3, "agent"), ((string?)read["apiVersion"], (string?)read["note"], (string?)read["regarding"]!["name"], (int)read["deprecatedCount"]!, (string?)read["deprecatedSource"]!["component"]));
        Assert.Null(read["message"]);
        Assert.Equal("It runs.", (string?)(await core.NextAsync())!.Value.Object["message"]);
        Assert.Equal("It runs.", (string?)(await events.NextAsync())!.Value.Object["note"]);

        // One that was made in the older form is short of what a new one must have, and can be labelled all the same.
        var (changed, answer) = await server.SendAsync(HttpMethod.Patch, Events + "/a", """{"metadata":{"labels":{"seen":"yes"}}}""", MergePatch);
        Assert.True(changed == HttpStatusCode.OK, answer.ToJsonString());
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.SendAsync(HttpMethod.Patch, Events + "/a", """{"note":"Else."}""", MergePatch)).Code);
        Assert.Equal("It runs.", (string?)(await server.GetAsync(Core + "/a?labelSelector=seen")).Body["message"]);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.PostAsync(Events, """{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"b"},"regarding":{"kind":"Pod","name":"web","namespace":"default"},"reason":"Started","type":"Normal","deprecatedCount":3}""")).Code);
        Assert.Equal(HttpStatusCode.Conflict, (await server.PostAsync(Events, """{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"a"},"regarding":{"kind":"Pod","name":"web","namespace":"default"},"reason":"Started","action":"Start","type":"Normal","eventTime":"2026-01-01T00:00:00.000000Z","reportingController":"c","reportingInstance":"i"}""")).Code);
        Assert.Single((await server.GetAsync(Events + "?fieldSelector=regarding.name%3Dweb")).Body["items"]!.AsArray());
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Delete, Events + "/a")).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync(Core + "/a")).Code);
    }
}
