using System.Collections.Concurrent;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Client.Tests;

public sealed class ResourceCacheTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_holds_what_was_listed_and_follows_what_changes()
    {
        await using var followed = await Followed.StartAsync(context => IsWatch(context)
            ? Answer.WatchAsync(
                context,
                thenHang: true,
                Answer.Event("MODIFIED", Answer.ConfigMap("a", 11, "new")),
                Answer.Event("ADDED", Answer.ConfigMap("c", 12)),
                Answer.Event("DELETED", Answer.ConfigMap("b", 13)))
            : Answer.JsonAsync(context, Answer.List(10, Answer.ConfigMap("a", 3), Answer.ConfigMap("b", 4))));

        await followed.UntilAsync(snapshot => snapshot.WatchedRevision == 13);

        Assert.Equal(["ns/a", "ns/c"], followed.Cache.Current.Keys.Select(key => key.ToString()));
        Assert.Equal("new", followed.Cache.Current.Find("ns", "a")!.Data["value"]);
        await Eventually.HoldsAsync(() => followed.Changes.Count >= 5, "the changes are told");
        Assert.Equal(["ns/a@3", "ns/b@4", "ns/a@11", "ns/c@12", "-ns/b"], followed.Changes);
    }

    [Fact]
    public async Task A_snapshot_holds_all_that_was_told_until_the_revision_that_it_names()
    {
        const int Changes = 4000;
        await using var followed = await Followed.StartAsync(
            context => IsWatch(context)
                ? Answer.WatchAsync(context, thenHang: true, [.. Enumerable.Range(11, Changes).Select(revision => Answer.Event(revision % 2 == 1 ? "ADDED" : "DELETED", Answer.ConfigMap("a", revision)))])
                : Answer.JsonAsync(context, Answer.List(10)),
            holdWatch: true);
        CacheSnapshot<ConfigMap>? torn = null;
        var reading = Task.Run(
            () =>
            {
                var snapshot = followed.Cache.Current;
                while (snapshot.WatchedRevision < 10 + Changes)
                {
                    snapshot = followed.Cache.Current;
                    if (snapshot.WatchedRevision > 10 && snapshot.Count != snapshot.WatchedRevision % 2)
                    {
                        torn ??= snapshot;
                    }
                }
            },
            TestContext.Current.CancellationToken);

        followed.ReleaseWatch();
        await reading.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        Assert.True(torn is null, $"At revision {torn?.WatchedRevision} there were {torn?.Count} objects.");
    }

    [Fact]
    public async Task A_watch_that_ends_is_resumed_from_the_last_bookmark()
    {
        var watches = 0;
        await using var followed = await Followed.StartAsync(context => !IsWatch(context)
            ? Answer.JsonAsync(context, Answer.List(10))
            : ++watches == 1
                ? Answer.WatchAsync(context, thenHang: false, """{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"17"}}}""")
                : Answer.WatchAsync(context, thenHang: true, Answer.Event("ADDED", Answer.ConfigMap("a", 18))));

        await followed.UntilAsync(snapshot => snapshot.Count == 1);

        Assert.Contains("resourceVersion=17", followed.Server.Requests.Last(), StringComparison.Ordinal);
        Assert.Single(followed.Server.Requests, request => !request.Contains("watch=true", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task When_history_is_gone_it_lists_again_and_reports_what_vanished_meanwhile(bool asEvent)
    {
        var lists = 0;
        await using var followed = await Followed.StartAsync(context => (IsWatch(context), lists) switch
        {
            (false, 0) => ListAsync(context, Answer.List(10, Answer.ConfigMap("a", 3), Answer.ConfigMap("b", 4))),
            (false, _) => ListAsync(context, Answer.List(90, Answer.ConfigMap("b", 4))),
            (true, 1) when asEvent => Answer.WatchAsync(
                context, thenHang: false, """{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"""),
            (true, 1) => Answer.StatusAsync(context, 410, "Expired", "too old"),
            _ => Answer.WatchAsync(context, thenHang: true),
        });

        await followed.UntilAsync(snapshot => snapshot.WatchedRevision == 90);

        await Eventually.HoldsAsync(() => followed.Changes.Count >= 3, "the changes are told");
        Assert.Equal(["ns/a@3", "ns/b@4", "-ns/a"], followed.Changes);

        Task ListAsync(HttpContext context, string list)
        {
            lists++;
            return Answer.JsonAsync(context, list);
        }
    }

    [Fact]
    public async Task A_half_sent_event_is_not_taken_and_garbage_is_survived()
    {
        var watches = 0;
        await using var followed = await Followed.StartAsync(context => (IsWatch(context), ++watches) switch
        {
            (false, _) => Answer.JsonAsync(context, Answer.List(10)),
            (true, 2) => Answer.WatchAsync(context, thenHang: false, """{"type":"ADDED","object":{"metadata":"""),
            (true, 3) => Answer.WatchAsync(context, thenHang: false, """{"type":"SURPRISE","object":{}}"""),
            _ => Answer.WatchAsync(context, thenHang: true, Answer.Event("ADDED", Answer.ConfigMap("a", 18))),
        });

        await followed.UntilAsync(snapshot => snapshot.Count == 1);
    }

    [Fact]
    public async Task A_write_of_our_own_is_seen_at_once_and_its_echo_changes_nothing()
    {
        var release = new TaskCompletionSource();
        await using var followed = await Followed.StartAsync(async context =>
        {
            if (!IsWatch(context))
            {
                await Answer.JsonAsync(context, Answer.List(10, Answer.ConfigMap("a", 3, "old")));
                return;
            }

            await release.Task;
            await Answer.WatchAsync(
                context, thenHang: true, Answer.Event("MODIFIED", Answer.ConfigMap("a", 11, "between")), Answer.Event("MODIFIED", Answer.ConfigMap("a", 12, "ours")));
        });
        await followed.UntilAsync(snapshot => snapshot.Count == 1);

        followed.Cache.Observe(GodwitJson.Deserialize<ConfigMap>(Answer.ConfigMap("a", 12, "ours")));
        Assert.Equal("ours", followed.Cache.Current.Find("ns", "a")!.Data["value"]);
        release.SetResult();
        await followed.UntilAsync(snapshot => snapshot.WatchedRevision == 12);

        Assert.Equal("ours", followed.Cache.Current.Find("ns", "a")!.Data["value"]);
        await Eventually.HoldsAsync(() => followed.Changes.Count >= 2, "the changes are told");
        Assert.Equal(["ns/a@3", "ns/a@12"], followed.Changes);
    }

    [Fact]
    public async Task A_late_answer_to_a_write_does_not_bring_a_deleted_object_back()
    {
        await using var followed = await Followed.StartAsync(context => IsWatch(context)
            ? Answer.WatchAsync(context, thenHang: true, Answer.Event("MODIFIED", Answer.ConfigMap("a", 11)), Answer.Event("DELETED", Answer.ConfigMap("a", 12)))
            : Answer.JsonAsync(context, Answer.List(10, Answer.ConfigMap("a", 3))));
        await followed.UntilAsync(snapshot => snapshot.Count == 0 && snapshot.WatchedRevision == 12);

        followed.Cache.Observe(GodwitJson.Deserialize<ConfigMap>(Answer.ConfigMap("a", 11)));

        Assert.Equal(0, followed.Cache.Current.Count);
    }

    [Fact]
    public async Task Objects_are_found_by_the_uid_of_their_controller()
    {
        const string owned = """
            {"metadata":{"name":"o","namespace":"ns","resourceVersion":"5","ownerReferences":[{"kind":"X","name":"x","uid":"owner","controller":true}]}}
            """;
        await using var followed = await Followed.StartAsync(context => IsWatch(context)
            ? Answer.WatchAsync(context, thenHang: true, Answer.Event("DELETED", owned.Trim().Replace("\"5\"", "\"11\"", StringComparison.Ordinal)))
            : Answer.JsonAsync(context, Answer.List(10, owned, Answer.ConfigMap("a", 3))), holdWatch: true);
        await followed.UntilAsync(snapshot => snapshot.Count == 2);
        Assert.Equal("o", Assert.Single(followed.Cache.Current.ControlledBy("owner")).Metadata.Name);

        followed.ReleaseWatch();
        await followed.UntilAsync(snapshot => snapshot.Count == 1);

        Assert.Empty(followed.Cache.Current.ControlledBy("owner"));
    }

    [Fact]
    public async Task Silence_grows_while_the_server_says_nothing()
    {
        await using var followed = await Followed.StartAsync(context => IsWatch(context)
            ? Answer.WatchAsync(context, thenHang: true)
            : Answer.JsonAsync(context, Answer.List(10)));
        await followed.Cache.WaitForSyncAsync(Stopping);

        followed.Clock.Advance(TimeSpan.FromSeconds(7));

        Assert.Equal(TimeSpan.FromSeconds(7), followed.Cache.Silence);
    }

    [Fact]
    public async Task Who_waits_for_a_state_goes_on_when_it_is_there_at_once_if_it_is_there_and_not_before()
    {
        await using var followed = await Followed.StartAsync(
            context => IsWatch(context)
                ? Answer.WatchAsync(context, thenHang: true, Answer.Event("MODIFIED", Answer.ConfigMap("a", 11, "new")))
                : Answer.JsonAsync(context, Answer.List(10, Answer.ConfigMap("a", 3))),
            holdWatch: true);
        await followed.Cache.WaitForSyncAsync(Stopping);
        await followed.Cache.WaitUntilAsync(known => known.Count == 1, Stopping);

        var waiting = followed.Cache.WaitUntilAsync(known => known.Find("ns", "a")!.Data.GetValueOrDefault("value") == "new", Stopping);
        Assert.False(waiting.IsCompleted);
        followed.ReleaseWatch();
        await waiting;

        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(1), followed.Clock);
        var never = followed.Cache.WaitUntilAsync(known => known.Count == 2, bound.Token);
        followed.Clock.Advance(TimeSpan.FromSeconds(1));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => never);
    }

    private static bool IsWatch(HttpContext context) => context.Request.Query["watch"] == "true";

    /// <summary>A cache that follows a scripted server. Its clock's delays pass at once when nothing else happens.</summary>
    private sealed class Followed : IAsyncDisposable
    {
        private readonly CancellationTokenSource ending = new();
        private readonly TaskCompletionSource watchReleased = new();
        private Task running = Task.CompletedTask;
        private ClusterClient? client;

        public FakeTimeProvider Clock { get; } = new();

        public required ScriptedServer Server { get; init; }

        public ResourceCache<ConfigMap> Cache { get; private set; } = null!;

        public ConcurrentQueue<string> Changes { get; } = [];

        public static async Task<Followed> StartAsync(Func<HttpContext, Task> answer, bool holdWatch = false)
        {
            Followed? self = null;
            var server = await ScriptedServer.StartAsync(async context =>
            {
                if (holdWatch && IsWatch(context))
                {
                    await self!.watchReleased.Task;
                }

                await answer(context);
            });
            self = new Followed { Server = server };
            self.client = server.Connect(self.Clock);
            self.Cache = new ResourceCache<ConfigMap>(self.client.For<ConfigMap>(), ListOptions.All, self.Clock, NullLogger.Instance);
            self.Cache.Subscribe(change => self.Changes.Enqueue(change.After is null ? $"-{change.Key}" : $"{change.Key}@{change.After.Metadata.ResourceVersion}"));
            self.running = self.Cache.RunAsync(self.ending.Token);
            return self;
        }

        public void ReleaseWatch() => watchReleased.TrySetResult();

        public Task UntilAsync(Func<CacheSnapshot<ConfigMap>, bool> condition) => Eventually.HoldsAsync(
            () =>
            {
                Clock.Advance(TimeSpan.FromMilliseconds(50)); // Back-off passes.
                return condition(Cache.Current);
            },
            "the cache's state");

        public async ValueTask DisposeAsync()
        {
            await ending.CancelAsync();
            watchReleased.TrySetResult();
            await running;
            client?.Dispose();
            await Server.DisposeAsync();
            ending.Dispose();
        }
    }
}
