using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Client.Tests;

public sealed class EventRecorderTests
{
    private static readonly Node About = new() { Metadata = new ObjectMeta { Name = "node-1", Uid = "uid" } };

    private readonly FakeTimeProvider clock = new();
    private readonly ConcurrentQueue<(string Request, JsonObject Body)> written = [];

    [Fact]
    public async Task A_repeat_counts_up_the_first_event_and_another_message_is_another_event()
    {
        await using var server = await StartServerAsync();
        using var client = server.Connect();
        await RecordAsync(client, recorder =>
        {
            recorder.Record(About, EventTypes.Warning, "Silent", "it is silent");
            recorder.Record(About, EventTypes.Warning, "Silent", "it is silent");
            recorder.Record(About, EventTypes.Warning, "Silent", "it is silent still");
        }, expected: 3);

        var all = written.ToArray();
        Assert.Equal(["POST", "PATCH", "POST"], all.Select(each => each.Request.Split(' ')[0]));
        Assert.Equal("POST /api/v1/namespaces/default/events", all[0].Request);
        Assert.Equal("Node", (string?)all[0].Body["involvedObject"]!["kind"]);
        Assert.Equal("Warning", (string?)all[0].Body["type"]);
        Assert.Equal(2, (int?)all[1].Body["count"]);
    }

    [Fact]
    public async Task A_repeat_of_an_event_that_expired_meanwhile_is_written_anew()
    {
        await using var server = await StartServerAsync(patchCode: 404);
        using var client = server.Connect();
        await RecordAsync(client, recorder =>
        {
            recorder.Record(About, EventTypes.Normal, "Seen", "it was seen");
            recorder.Record(About, EventTypes.Normal, "Seen", "it was seen");
        }, expected: 3);

        Assert.Equal(["POST", "PATCH", "POST"], written.Select(each => each.Request.Split(' ')[0]));
    }

    [Fact]
    public async Task More_than_the_queue_holds_is_dropped_and_counted_and_nobody_waits()
    {
        await using var server = await StartServerAsync();
        using var client = server.Connect();
        var recorder = new EventRecorder(client, "test", null, clock, NullLogger.Instance);

        for (var i = 0; i < EventRecorder.QueueEventsMax + 7; i++)
        {
            recorder.Record(About, EventTypes.Normal, "Much", $"number {i}");
        }

        Assert.Equal(7, recorder.DroppedCount);
    }

    [Fact]
    public async Task What_is_recorded_before_the_end_is_still_written()
    {
        await using var server = await StartServerAsync();
        using var client = server.Connect();
        var recorder = new EventRecorder(client, "test", null, clock, NullLogger.Instance);
        recorder.Record(About, EventTypes.Normal, "Last", "the last word");

        using var ended = new CancellationTokenSource();
        await ended.CancelAsync();
        await recorder.RunAsync(ended.Token);

        Assert.Single(written);
    }

    private async Task RecordAsync(ClusterClient client, Action<EventRecorder> record, int expected)
    {
        var recorder = new EventRecorder(client, "test", null, clock, NullLogger.Instance);
        using var ending = new CancellationTokenSource();
        var running = recorder.RunAsync(ending.Token);
        record(recorder);
        await Eventually.HoldsAsync(() => written.Count >= expected, $"{expected} requests");
        await ending.CancelAsync();
        await running;
    }

    private Task<ScriptedServer> StartServerAsync(int patchCode = 200) => ScriptedServer.StartAsync(async context =>
    {
        var body = JsonNode.Parse(await new StreamReader(context.Request.Body).ReadToEndAsync(context.RequestAborted))!.AsObject();
        written.Enqueue(($"{context.Request.Method} {context.Request.Path}", body));
        if (context.Request.Method == "PATCH")
        {
            var first = written.First().Body.DeepClone().AsObject();
            first["count"] = (int?)body["count"];
            await (patchCode == 200 ? Answer.JsonAsync(context, first.ToJsonString()) : Answer.StatusAsync(context, patchCode, "NotFound", "gone"));
        }
        else
        {
            await Answer.JsonAsync(context, body.ToJsonString(), 201);
        }
    });
}
