using System.Net;
using Godwit.ApiServer.Resources;
using Godwit.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.ApiServer.Tests.Access;

/// <summary>Several servers over one store. (That the store itself is shared over a network makes no difference here.)</summary>
public sealed class SharedStoreTests
{
    private const string Core = "/api/v1/namespaces/default";

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_many_creates_at_several_servers_no_more_are_let_in_than_a_quota_has_room_for()
    {
        await using var one = await TestServer.StartAsync(sharesStore: true);
        await using var two = await one.BesideAsync();
        await one.PostAsync($"{Core}/resourcequotas", """{"metadata":{"name":"few"},"spec":{"hard":{"secrets":"7"}}}""");
        var made = await Task.WhenAll(Enumerable.Range(0, 60).Select(number =>
            (number % 2 == 0 ? one : two).PostAsync($"{Core}/secrets", $$"""{"metadata":{"name":"s{{number}}"} }""")));
        Assert.Equal((7, 53), (made.Count(each => each.Code == HttpStatusCode.Created), made.Count(each => each.Code == HttpStatusCode.Forbidden)));
    }

    [Fact]
    public async Task What_one_server_is_told_the_other_knows_and_its_watches_hear()
    {
        await using var one = await TestServer.StartAsync(sharesStore: true);
        await using var two = await one.BesideAsync();
        using var watch = await two.WatchAsync($"{Core}/secrets?watch=true");
        Assert.Equal(HttpStatusCode.Created, (await one.PostAsync($"{Core}/secrets", """{"metadata":{"name":"s"}}""")).Code);
        Assert.Equal("s", (string?)(await two.GetAsync($"{Core}/secrets/s")).Body["metadata"]!["name"]);
        Assert.Equal("ADDED", (await watch.NextAsync())?.Type);
    }

    [Fact]
    public async Task A_server_with_another_authority_than_the_stores_servers_is_refused_and_told_what_to_copy()
    {
        await using var one = await TestServer.StartAsync(sharesStore: true);
        var folder = Directory.CreateTempSubdirectory($"godwit-server-{Environment.ProcessId}-").FullName;
        try
        {
            var refusal = await Assert.ThrowsAsync<InvalidDataException>(() => ApiServerHost.StartAsync(
                new ApiServerOptions { DataFolder = folder, Store = one.Store, SharesStore = true, Registry = TestKinds.Registry, Listen = [new IPEndPoint(IPAddress.Loopback, 0)], Loggers = NullLoggerFactory.Instance },
                Stopping));
            Assert.Contains($"{Path.Combine(folder, "pki")}", refusal.Message, StringComparison.Ordinal);
            Assert.Contains("Copy the whole folder pki/ of one of them over it", refusal.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_turn_is_one_servers_until_it_is_given_back()
    {
        await using var store = new MemoryRevisionStore();
        var (one, two) = (new SharedTurns(store, TimeProvider.System), new SharedTurns(store, TimeProvider.System));
        var held = await one.TakeAsync("n", Stopping);
        var waiting = two.TakeAsync("n", Stopping);
        await using (await two.TakeAsync("other", Stopping))
        {
            Assert.False(waiting.IsCompleted);
        }

        await held.DisposeAsync();
        await (await waiting).DisposeAsync();
        Assert.Empty((await store.ListAsync(new StoreListQuery("godwit/turns/"), Stopping)).Items);
    }

    [Fact]
    public async Task A_turn_ends_by_itself_before_the_turn_of_a_dead_server_may_be_taken_over()
    {
        await using var store = new MemoryRevisionStore();
        var clock = new FakeTimeProvider();
        var (dead, alive) = (new SharedTurns(store, clock), new SharedTurns(store, clock));
        var held = await dead.TakeAsync("n", Stopping); // Never given back.
        var waiting = alive.TakeAsync("n", Stopping);
        while (!held.IsOver)
        {
            Assert.False(waiting.IsCompleted);
            clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.True(held.Stopping.IsCancellationRequested);
        while (!waiting.IsCompleted)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await using var taken = await waiting;
        Assert.False(taken.IsOver);
    }
}
