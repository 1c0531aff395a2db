using System.Text;
using Godwit.Store.Etcd;

namespace Godwit.Store.Tests.Etcd;

/// <summary>Writes whose request or answer is lost on the way, with another writer beside.</summary>
[Trait("Needs", "etcd")]
public sealed class EtcdLostAnswerTests : IAsyncLifetime
{
    private const int ValueBytes = 500; // More than anything else that crosses the connection meanwhile.

    private readonly TemporaryFolder folder = new();
    private readonly CancellationTokenSource bound = new(TimeSpan.FromMinutes(2));
    private EtcdMemberProcess member = null!;
    private LossyProxy proxy = null!;
    private EtcdRevisionStore store = null!; // Through the proxy.
    private EtcdRevisionStore other = null!;

    public async ValueTask InitializeAsync()
    {
        member = EtcdMemberProcess.Alone(folder.FullPath);
        member.Start();
        proxy = new LossyProxy(member.ClientPort);
        other = await OpenAsync(member.ToString());
        store = await OpenAsync(proxy.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        if (store is not null)
        {
            await store.DisposeAsync();
            await other.DisposeAsync();
            await proxy.DisposeAsync();
            await member.DisposeAsync();
        }

        bound.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task A_write_whose_answer_was_lost_is_known_again_by_its_mark()
    {
        var created = await LosingAnswerAsync(() => store.CreateAsync("a", Value("1"), bound.Token), async () => await other.GetAsync("a", bound.Token) is not null);
        Assert.Equal((true, (await other.GetAsync("a", bound.Token))!.ModRevision), (created.Succeeded, created.Revision));

        // Another writer has gone on from what it found, before we ask.
        var overwritten = 0L;
        var updated = await LosingAnswerAsync(() => store.UpdateAsync("a", Value("2"), created.Revision, bound.Token), async () =>
        {
            var found = (await other.GetAsync("a", bound.Token))!;
            if (found.ModRevision == created.Revision)
            {
                return false;
            }

            overwritten = found.ModRevision;
            Assert.True((await other.UpdateAsync("a", Value("3"), found.ModRevision, bound.Token)).Succeeded);
            return true;
        });
        Assert.Equal((true, overwritten), (updated.Succeeded, updated.Revision));
    }

    [Fact]
    public async Task Another_writers_very_same_bytes_are_not_taken_for_our_own()
    {
        var created = await other.CreateAsync("a", Value("1"), bound.Token);
        var update = await LosingRequestAsync(() => store.UpdateAsync("a", Value("2"), created.Revision, bound.Token), async () =>
            Assert.True((await other.UpdateAsync("a", Value("2"), created.Revision, bound.Token)).Succeeded));
        Assert.False(update.Succeeded);
        Assert.Equal(await other.GetCurrentRevisionAsync(bound.Token), update.Existing!.ModRevision);
    }

    [Fact]
    public async Task A_write_that_did_not_arrive_is_sent_again_where_that_is_safe_and_said_to_be_unknown_where_it_is_not()
    {
        var unknown = await Assert.ThrowsAsync<StoreUnavailableException>(() => LosingRequestAsync(() => store.CreateAsync("a", Value("1"), bound.Token), () => Task.CompletedTask));
        Assert.Equal((StoreFault.Unreachable, true), (unknown.Fault, unknown.MayHaveHappened));

        var created = await store.CreateAsync("a", Value("1"), bound.Token);
        var updated = await LosingRequestAsync(() => store.UpdateAsync("a", Value("2"), created.Revision, bound.Token), () => Task.CompletedTask);
        Assert.Equal((true, created.Revision + 1), (updated.Succeeded, updated.Revision));

        var gone = await Assert.ThrowsAsync<StoreUnavailableException>(() =>
            LosingAnswerAsync(() => store.DeleteAsync("a", updated.Revision, bound.Token), async () => await other.GetAsync("a", bound.Token) is null));
        Assert.True(gone.MayHaveHappened); // Somebody deleted it; that it was us cannot be known.
    }

    [Fact]
    public async Task A_watch_goes_on_where_it_was_when_its_connection_broke()
    {
        await using var batches = store.WatchAsync("", 1, bound.Token).GetAsyncEnumerator(bound.Token);
        Assert.True(await batches.MoveNextAsync());
        for (var number = 2; number < 8; number++)
        {
            await proxy.CutAsync();
            await other.CreateAsync($"k/{number}", Value("x"), bound.Token);
            Assert.True(await batches.MoveNextAsync());
            Assert.Equal([number], batches.Current.Events.Select(change => change.Revision));
        }
    }

    private static byte[] Value(string text) => Encoding.ASCII.GetBytes(text.PadRight(ValueBytes, '.'));

    private static async Task<EtcdRevisionStore> OpenAsync(string member) =>
        await EtcdRevisionStore.OpenAsync(new EtcdStoreOptions(EtcdAddress.Parse($"etcd://{member}")), CancellationToken.None);

    /// <summary>etcd does it; then, once somebody else has seen that, the connection breaks without an answer.</summary>
    private async Task<StoreWrite> LosingAnswerAsync(Func<ValueTask<StoreWrite>> write, Func<Task<bool>> isDone)
    {
        proxy.LoseAnswers();
        var writing = write().AsTask();
        while (!await isDone())
        {
            bound.Token.ThrowIfCancellationRequested();
        }

        await proxy.CutAsync();
        return await writing;
    }

    /// <summary>etcd never gets it; then something else happens, and the connection breaks.</summary>
    private async Task<StoreWrite> LosingRequestAsync(Func<ValueTask<StoreWrite>> write, Func<Task> meanwhile)
    {
        proxy.LoseRequests();
        var writing = write().AsTask();
        await proxy.LostAsync(ValueBytes, bound.Token);
        await meanwhile();
        await proxy.CutAsync();
        return await writing;
    }
}
