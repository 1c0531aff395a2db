using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Batch.V1;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.Api.Tests.Kinds;

/// <summary>What kinds that make pods mean where they say nothing, what they may not say, and what of them stays.</summary>
public sealed class WorkloadRulesTests
{
    private const string Template = """{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"nginx"}]}}""";
    private const string Selected = """ "selector":{"matchLabels":{"app":"web"}},"template":""" + Template;
    private const string Work = """{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}""";

    [Theory]
    [InlineData("Deployment", Selected, "replicas=1 strategy.type=RollingUpdate strategy.rollingUpdate.maxSurge=25% progressDeadlineSeconds=600 template.spec.restartPolicy=Always")]
    [InlineData("ReplicaSet", Selected, "replicas=1 template.spec.terminationGracePeriodSeconds=30")]
    [InlineData("StatefulSet", Selected, "replicas=1 podManagementPolicy=OrderedReady updateStrategy.rollingUpdate.partition=0 persistentVolumeClaimRetentionPolicy.whenDeleted=Retain")]
    [InlineData("StatefulSet", """ "volumeClaimTemplates":[{"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}],"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"nginx","volumeMounts":[{"name":"data","mountPath":"/data"}]}]}}""", "replicas=1")]
    [InlineData("DaemonSet", Selected, "updateStrategy.rollingUpdate.maxUnavailable=1 revisionHistoryLimit=10")]
    [InlineData("ReplicationController", "\"template\":" + Template, "selector.app=web replicas=1")]
    [InlineData("Job", "\"template\":" + Work, "completions=1 parallelism=1 backoffLimit=6 completionMode=NonIndexed selector.matchLabels.batch.kubernetes.io/controller-uid=u")]
    [InlineData("CronJob", "\"schedule\":\"@daily\",\"jobTemplate\":{\"spec\":{\"template\":" + Work + "}}", "concurrencyPolicy=Allow successfulJobsHistoryLimit=3 jobTemplate.spec.template.spec.dnsPolicy=ClusterFirst")]
    public void What_is_not_said_is_filled_in_and_the_result_is_valid(string kind, string spec, string expected)
    {
        var made = Made(kind, spec);

        Assert.Empty(Strategy(kind).Validate(made).Select(error => $"{error.Path}: {error.Detail}"));
        foreach (var field in expected.Split(' ').Select(field => field.Split('=')))
        {
            Assert.Equal((field[0], field[1]), (field[0], JsonAccess.Show(Find(made["spec"]!, field[0])).Trim('"')));
        }

        var again = made.DeepClone().AsObject();
        Strategy(kind).ApplyDefaults(again);
        Assert.True(JsonNode.DeepEquals(made, again), again.ToJsonString());
    }

    [Theory]
    [InlineData("Deployment", """ "selector":{},"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}""", "spec.selector")]
    [InlineData("Deployment", """ "selector":{"matchLabels":{"app":"other"}},"template":""" + Template, "spec.template.metadata.labels")]
    [InlineData("Deployment", """ "replicas":-1,""" + Selected, "spec.replicas")]
    [InlineData("Deployment", """ "strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":"0%"}},""" + Selected, "spec.strategy.rollingUpdate.maxUnavailable")]
    [InlineData("Deployment", """ "strategy":{"rollingUpdate":{"maxSurge":"many"}},""" + Selected, "spec.strategy.rollingUpdate.maxSurge")]
    [InlineData("Deployment", """ "strategy":{"type":"Recreate","rollingUpdate":{}},""" + Selected, "spec.strategy.rollingUpdate")]
    [InlineData("Deployment", """ "minReadySeconds":600,""" + Selected, "spec.progressDeadlineSeconds")]
    [InlineData("ReplicaSet", """ "selector":{"matchExpressions":[{"key":"app","operator":"In"}]},"template":""" + Template, "spec.selector.matchExpressions[0].values")]
    [InlineData("DaemonSet", """ "updateStrategy":{"rollingUpdate":{"maxSurge":1}},""" + Selected, "spec.updateStrategy.rollingUpdate.maxSurge")]
    [InlineData("StatefulSet", """ "volumeClaimTemplates":[{"metadata":{"name":"A"}}],""" + Selected, "spec.volumeClaimTemplates[0].metadata.name")]
    [InlineData("StatefulSet", """ "volumeClaimTemplates":[{"metadata":{"name":"a"},"spec":{"accessModes":["ReadWriteOnce"]}}],""" + Selected, "spec.volumeClaimTemplates[0].spec.resources.requests[storage]")]
    [InlineData("StatefulSet", """ "volumeClaimTemplates":[{"metadata":{"name":"a"}},{"metadata":{"name":"a"}}],""" + Selected, "spec.volumeClaimTemplates[1].metadata.name")]
    [InlineData("Job", """ "template":""" + Template, "spec.template.spec.restartPolicy")]
    [InlineData("Job", """ "completionMode":"Indexed","parallelism":2,"template":""" + Work, "spec.completions")]
    [InlineData("CronJob", """ "schedule":"61 * * * *","jobTemplate":{"spec":{"template":""" + Work + "}}", "spec.schedule")]
    [InlineData("CronJob", """ "schedule":"@daily","timeZone":"Nowhere/At","jobTemplate":{"spec":{"template":""" + Work + "}}", "spec.timeZone")]
    [InlineData("PodDisruptionBudget", """ "minAvailable":1,"maxUnavailable":1""", "spec")]
    [InlineData("PodDisruptionBudget", """ "minAvailable":"-5%" """, "spec.minAvailable")]
    public void What_may_not_be_said_is_told_by_its_path(string kind, string spec, string path) =>
        Assert.Contains(path, Strategy(kind).Validate(Made(kind, spec)).Select(error => error.Path));

    [Theory]
    [InlineData("Deployment", Selected, "replicas", "5", false)]
    [InlineData("Deployment", Selected, "selector", """{"matchLabels":{"a":"b"}}""", true)]
    [InlineData("StatefulSet", Selected, "replicas", "5", false)]
    [InlineData("StatefulSet", Selected, "serviceName", "\"other\"", true)]
    [InlineData("StatefulSet", Selected, "podManagementPolicy", "\"Parallel\"", true)]
    [InlineData("Job", "\"template\":" + Work, "parallelism", "2", false)]
    [InlineData("Job", "\"template\":" + Work, "completions", "2", true)]
    [InlineData("Job", "\"template\":" + Work, "template", "{}", true)]
    public void What_stays_as_it_was_made_stays(string kind, string spec, string field, string value, bool isRefused)
    {
        var existing = Made(kind, spec);
        var updated = existing.DeepClone().AsObject();
        updated["spec"]![field] = JsonNode.Parse(value);

        Assert.Equal(isRefused, Strategy(kind).ValidateUpdate(updated, existing).Any());
    }

    [Theory]
    [InlineData("*/15 * * * *", "2026-01-31T10:07:30Z", "2026-01-31T10:15:00Z")]
    [InlineData("0 3 * * *", "2026-01-31T03:00:00Z", "2026-02-01T03:00:00Z")]
    [InlineData("30 8 1 jan *", "2026-01-31T00:00:00Z", "2027-01-01T08:30:00Z")]
    [InlineData("0 0 13 * fri", "2026-02-01T00:00:00Z", "2026-02-06T00:00:00Z")]
    [InlineData("0 0 * * 7", "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z")]
    [InlineData("0 0 29 2 *", "2026-01-31T00:00:00Z", "2028-02-29T00:00:00Z")]
    [InlineData("@hourly", "2026-01-31T10:07:30Z", "2026-01-31T11:00:00Z")]
    [InlineData("5-10/5,30 9-17 * * mon-fri", "2026-01-30T17:30:00Z", "2026-02-02T09:05:00Z")]
    public void A_schedule_comes_when_it_says(string schedule, string after, string next) =>
        Assert.Equal(DateTimeOffset.Parse(next, null), CronSchedule.Parse(schedule).NextAfter(DateTimeOffset.Parse(after, null), TimeZoneInfo.Utc));

    [Fact]
    public void A_schedule_comes_once_a_day_over_changes_of_the_clock()
    {
        var oslo = TimeZoneInfo.FindSystemTimeZoneById("Europe/Oslo");
        var schedule = CronSchedule.Parse("30 2 * * *");
        // The clock goes from 2 to 3 on the 29th of March, and from 3 back to 2 on the 25th of October.
        Assert.Equal(DateTimeOffset.Parse("2026-03-29T01:00:00Z", null), schedule.NextAfter(DateTimeOffset.Parse("2026-03-28T12:00:00Z", null), oslo));
        var autumn = schedule.NextAfter(DateTimeOffset.Parse("2026-10-24T12:00:00Z", null), oslo)!.Value;
        Assert.Equal(DateTimeOffset.Parse("2026-10-26T01:30:00Z", null), schedule.NextAfter(autumn, oslo));
    }

    [Fact]
    public void A_schedule_comes_at_each_minute_that_fits_and_at_no_other_in_every_zone() =>
        Gen.Select(Gen.OneOf([.. new[] { "* * * * *", "*/20 * * * *", "30 2 * * *", "0,30 0,1,23 * * *", "15 */3 * * 0" }.Select(each => Gen.Const(each))]), Gen.OneOf([.. new[] { "Europe/Oslo", "America/Havana", "Atlantic/Azores", "Australia/Lord_Howe", "Asia/Kolkata" }.Select(each => Gen.Const(each))]), Gen.Int[0, 365 * 24 * 60])
            .Sample((text, name, minute) =>
            {
                var (zone, schedule) = (TimeZoneInfo.FindSystemTimeZoneById(name), CronSchedule.Parse(text));
                var after = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddMinutes(minute).AddSeconds(minute % 60);
                var next = schedule.NextAfter(after, zone)!.Value;
                Assert.True(next > after && next.Second == 0);
                var local = TimeZoneInfo.ConvertTime(next, zone).DateTime;
                var isJump = zone.IsInvalidTime(local.AddMinutes(-1)); // What is jumped over comes here.
                Assert.True(isJump || schedule.NextAfter(new DateTimeOffset(local.AddMinutes(-1), TimeSpan.Zero), TimeZoneInfo.Utc) == new DateTimeOffset(local, TimeSpan.Zero), "comes when it does not say so");
                if (text[0] == '*') // By the minute and in every hour: never away for longer than its step, whatever the clock shows.
                {
                    Assert.InRange(next - after, TimeSpan.Zero, text == "* * * * *" ? TimeSpan.FromMinutes(1) : TimeSpan.FromMinutes(50));
                }
            });

    [Fact]
    public void A_schedule_that_never_comes_has_no_next_time() => Assert.Null(CronSchedule.Parse("0 0 30 2 *").NextAfter(DateTimeOffset.UnixEpoch, TimeZoneInfo.Utc));

    [Theory]
    [InlineData("")]
    [InlineData("* * * *")]
    [InlineData("* * * * * *")]
    [InlineData("*/0 * * * *")]
    [InlineData("5-1 * * * *")]
    [InlineData("* * * * mo")]
    public void What_is_no_schedule_is_refused(string text) => Assert.Throws<FormatException>(() => CronSchedule.Parse(text));

    private static ResourceStrategy Strategy(string kind) => BuiltInKinds.All.Single(definition => definition.Kind == kind).Strategy;

    private static JsonObject Made(string kind, string spec)
    {
        var resource = JsonNode.Parse($$"""{"metadata":{"name":"x"},"spec":{ {{spec}} } }""")!.AsObject();
        Strategy(kind).PrepareForCreate(resource);
        resource["metadata"]!["uid"] = "u";
        Strategy(kind).ApplyDefaults(resource);
        return resource;
    }

    /// <summary>The value at a path whose last parts may be one key with dots.</summary>
    private static JsonNode? Find(JsonNode node, string path)
    {
        if (node is not JsonObject parent || parent.ContainsKey(path))
        {
            return node[path];
        }

        var (head, tail) = (path[..path.IndexOf('.', StringComparison.Ordinal)], path[(path.IndexOf('.', StringComparison.Ordinal) + 1)..]);
        return parent[head] is { } inner ? Find(inner, tail) : null;
    }
}
