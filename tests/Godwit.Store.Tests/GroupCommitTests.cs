using Godwit.Store.Sqlite;
using Microsoft.Data.Sqlite;

namespace Godwit.Store.Tests;

public sealed class GroupCommitTests : IAsyncDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly CancellationTokenSource bound = new(TimeSpan.FromMinutes(5));
    private readonly StoreFile file;
    private readonly EventFeed feed;
    private readonly GroupCommit writer;
    private readonly ManualResetEventSlim gate = new();

    public GroupCommitTests()
    {
        var options = new SqliteStoreOptions(folder.File("store.db")) { QueueJobsMax = 2 };
        file = StoreFile.Open(options);
        var log = new LogWriter(file.ConnectWriter());
        feed = new EventFeed("store", log.Bounds.Current, log.Bounds.Compacted, options.FeedLimits);
        writer = new GroupCommit(file, log, feed, options);
    }

    public async ValueTask DisposeAsync()
    {
        gate.Set();
        await writer.DisposeAsync();
        file.Dispose();
        gate.Dispose();
        bound.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task A_write_cancelled_while_it_waits_does_not_happen()
    {
        var blocking = await BlockAsync();
        using var cancel = new CancellationTokenSource();
        var cancelled = Put("a", cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        gate.Set();
        await blocking;
        Assert.Equal(2, (await Put("b", bound.Token)).Revision);
    }

    [Fact]
    public async Task A_full_queue_makes_callers_wait_and_then_serves_them()
    {
        var blocking = await BlockAsync();
        var writes = Enumerable.Range(0, 10).Select(i => Put($"keys/{i}", bound.Token)).ToList();
        gate.Set();
        await blocking;
        var revisions = (await Task.WhenAll(writes)).Select(write => write.Revision).Order();
        Assert.Equal(Enumerable.Range(2, 10).Select(i => (long)i), revisions);
    }

    [Fact]
    public async Task A_failed_transaction_acknowledges_none_of_its_writes_and_the_next_one_works()
    {
        var blocking = await BlockAsync();
        var before = Put("a", bound.Token);
        var poison = writer.RunAsync<bool>(_ => throw new SqliteException("disk I/O error", 10), 0, bound.Token).AsTask();
        gate.Set();
        await blocking;
        var refusals = new[] { await Assert.ThrowsAsync<StoreUnavailableException>(() => before), await Assert.ThrowsAsync<StoreUnavailableException>(() => poison) };
        Assert.All(refusals, refusal => Assert.Equal((StoreFault.InputOutput, false), (refusal.Fault, refusal.MayHaveHappened)));
        Assert.Equal(1, feed.Revision);
        Assert.Equal((true, 2L), (await Put("a", bound.Token)) switch { var write => (write.Succeeded, write.Revision) });
    }

    [Fact]
    public async Task A_commit_that_happened_although_it_seemed_to_fail_is_told_to_watchers_before_any_later_one()
    {
        using (var other = new LogWriter(file.ConnectWriter()))
        {
            other.Begin();
            other.Put("unknown", new byte[1], 0);
            other.Commit();
        }

        await Assert.ThrowsAsync<StoreUnavailableException>(async () =>
            await writer.RunAsync<bool>(_ => throw new SqliteException("disk I/O error", 10), 0, bound.Token));
        Assert.Equal(3, (await Put("later", bound.Token)).Revision);

        var told = new List<string>();
        await using var readers = new ReaderPool(file, 1);
        ReadLog readLog = (prefix, after, stopping) => readers.ReadAsync(log => log.Follow(prefix, after, EventFeedLimits.Default), stopping);
        await foreach (var batch in feed.WatchAsync("", 1, readLog, bound.Token))
        {
            told.AddRange(batch.Events.Select(change => change.Item.Key));
            if (batch.Revision >= 3)
            {
                break;
            }
        }

        Assert.Equal(["unknown", "later"], told);
    }

    /// <summary>A job that holds the writer until <see cref="gate"/> opens; returns once it does.</summary>
    private async Task<Task> BlockAsync()
    {
        var holding = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var blocking = writer.RunAsync(
            _ =>
            {
                holding.SetResult();
                gate.Wait(bound.Token);
                return true;
            },
            long.MaxValue,
            bound.Token).AsTask();
        await holding.Task;
        return blocking;
    }

    private Task<StoreWrite> Put(string key, CancellationToken stopping) =>
        writer.RunAsync(log => log.Put(key, new byte[1], 0), 1, stopping).AsTask();
}
