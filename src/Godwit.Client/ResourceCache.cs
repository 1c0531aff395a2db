using Godwit.Base;
using Microsoft.Extensions.Logging;

namespace Godwit.Client;

/// <summary>
/// A copy of all objects of one kind, kept up to date by list and watch. Readers take <see cref="Current"/>, an
/// immutable snapshot, and never wait.
/// <code>
///            list                    watch event, bookmark
///  (empty) ────────▶ following ◀──────────────────────────┐
///                       │  └───────────────────────────────┘
///                       ├─ watch ends or breaks ──▶ watch again from the last revision (back-off when it breaks)
///                       └─ 410: history is gone ──▶ list again (what vanished meanwhile is reported as removed)
/// </code>
/// <para>
/// Read your own writes: <see cref="Observe"/> puts the server's answer to a write into the snapshot at once. That is
/// safe because revisions of one cluster are one order: an answer newer than everything watched so far cannot have been
/// deleted yet as far as this watch has told, and an older one is ignored, so a snapshot only ever moves forward.
/// </para>
/// </summary>
public sealed partial class ResourceCache<T> : IResourceCache
    where T : Resource, IResource<T>
{
    private static readonly Backoff ReconnectBackoff = new(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(15));

    private readonly ResourceClient<T> client;
    private readonly ListOptions options;
    private readonly TimeProvider clock;
    private readonly ILogger logger;
    private readonly Lock gate = new();
    private readonly TaskCompletionSource synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Action<ResourceChange<T>>> listeners = [];
    private readonly Func<T, string?>? groupOf;
    private TaskCompletionSource? changed;
    private volatile CacheSnapshot<T> current;
    private string resumeFrom = "";
    private long lastHeardTimestamp;

    /// <param name="client">The kind to follow.</param>
    /// <param name="options">Which objects: a namespace and selectors.</param>
    /// <param name="clock">Time for back-off and staleness.</param>
    /// <param name="logger">Where trouble is told.</param>
    /// <param name="groupOf">What <see cref="CacheSnapshot{T}.InGroup"/> finds objects by; null: nothing. A pure function of the object.</param>
    public ResourceCache(ResourceClient<T> client, ListOptions options, TimeProvider clock, ILogger logger, Func<T, string?>? groupOf = null)
    {
        this.groupOf = groupOf;
        current = CacheSnapshot.Of([], groupOf: groupOf);
        this.client = client;
        this.options = options;
        this.clock = clock;
        this.logger = logger;
        lastHeardTimestamp = clock.GetTimestamp();
    }

    /// <summary>What is known now.</summary>
    public CacheSnapshot<T> Current => current;

    /// <summary>True once the first list has arrived.</summary>
    public bool IsSynced => synced.Task.IsCompletedSuccessfully;

    /// <summary>How long the server has said nothing, not even a bookmark. Long silence means that decisions rest on old facts.</summary>
    public TimeSpan Silence => clock.GetElapsedTime(Interlocked.Read(ref lastHeardTimestamp));

    public Task Synced => synced.Task;

    public Task WaitForSyncAsync(CancellationToken stopping) => synced.Task.WaitAsync(stopping);

    /// <summary>
    /// Calls back after each change, in order, first for all objects already known. The callback must only note the
    /// change (add a key to a queue): the watch waits for it.
    /// </summary>
    public void Subscribe(Action<ResourceChange<T>> listener)
    {
        lock (gate)
        {
            listeners.Add(listener);
            foreach (var item in current.Items)
            {
                listener(new ResourceChange<T>(ResourceKey.Of(item), null, item));
            }
        }
    }

    /// <summary>Returns when what is known is as wanted, at once if it is so now.</summary>
    /// <exception cref="OperationCanceledException">It was not before <paramref name="stopping"/>: bound it.</exception>
    public async Task WaitUntilAsync(Func<CacheSnapshot<T>, bool> isAsWanted, CancellationToken stopping)
    {
        while (true)
        {
            Task next;
            lock (gate)
            {
                if (isAsWanted(current))
                {
                    return;
                }

                next = (changed ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            await next.WaitAsync(stopping);
        }
    }

    /// <summary>Takes in the answer to a write of our own; see the type's remarks. Returns it for the caller's convenience.</summary>
    public T Observe(T written)
    {
        lock (gate)
        {
            var version = written.Metadata.ResourceVersion;
            if (Revisions.ParseOrZero(version) > current.WatchedRevision && !IsOlderThanKnown(ResourceKey.Of(written), version))
            {
                Put(written, current);
            }
        }

        return written;
    }

    /// <summary>Follows the server until cancelled. Trouble is told in the log and mended with back-off; it never ends this.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            await FollowAsync(stopping);
        }
        finally
        {
            synced.TrySetCanceled(stopping); // What was not listed by now never will be.
        }
    }

    private async Task FollowAsync(CancellationToken stopping)
    {
        var failures = 0;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (resumeFrom.Length == 0)
                {
                    await ListAsync(stopping);
                }

                await WatchAsync(() => failures = 0, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (ApiException error) when (error.IsExpired)
            {
                Log.Expired(logger, T.Type.Plural, resumeFrom);
                resumeFrom = "";
            }
            catch (Exception error)
            {
                var delay = ReconnectBackoff.DelayFor(failures++, client.Chance());
                Log.Broken(logger, T.Type.Plural, (int)delay.TotalMilliseconds, ErrorChain.Describe(error));
                await Task.Delay(delay, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ListAsync(CancellationToken stopping)
    {
        var list = await client.ListAsync(options, stopping);
        lock (gate)
        {
            Heard();
            var before = current;
            current = CacheSnapshot.Of(list.Items, Revisions.ParseOrZero(list.Metadata.ResourceVersion), groupOf);
            foreach (var newer in before.Items.Where(item => Revisions.ParseOrZero(item.Metadata.ResourceVersion) > current.WatchedRevision))
            {
                current = current.With(newer); // Observed from a write after the revision of this list.
            }

            resumeFrom = list.Metadata.ResourceVersion;
            foreach (var gone in before.Items.Where(item => current.Find(ResourceKey.Of(item)) is null))
            {
                Tell(new ResourceChange<T>(ResourceKey.Of(gone), gone, null));
            }

            foreach (var item in current.Items)
            {
                var key = ResourceKey.Of(item);
                var known = before.Find(key);
                if (known?.Metadata.ResourceVersion != item.Metadata.ResourceVersion)
                {
                    Tell(new ResourceChange<T>(key, known, item));
                }
            }
        }

        synced.TrySetResult();
    }

    private async Task WatchAsync(Action onHeard, CancellationToken stopping)
    {
        await foreach (var change in client.WatchAsync(options, resumeFrom, stopping))
        {
            onHeard();
            lock (gate)
            {
                Heard();
                Take(change);
            }
        }
    }

    /// <summary>Readers do not wait for us: a snapshot that says how far was watched must hold all that was told until there, so both change at once.</summary>
    private void Take(ResourceEvent<T> change)
    {
        var version = change.Object.Metadata.ResourceVersion;
        var watched = current;
        if (version.Length > 0)
        {
            resumeFrom = version;
            watched = current.WatchedUpTo(Revisions.ParseOrZero(version));
        }

        var key = ResourceKey.Of(change.Object);
        switch (change.Kind)
        {
            case ResourceEventKind.Added or ResourceEventKind.Modified when !IsOlderThanKnown(key, version):
                Put(change.Object, watched);
                break;
            case ResourceEventKind.Deleted when current.Find(key) is { } gone:
                current = watched.Without(key);
                Tell(new ResourceChange<T>(key, gone, null));
                break;
            default:
                current = watched;
                break;
        }
    }

    private bool IsOlderThanKnown(ResourceKey key, string version) =>
        current.Find(key) is { } known
        && Revisions.TryParse(known.Metadata.ResourceVersion, out var knownRevision)
        && Revisions.TryParse(version, out var revision)
        && revision < knownRevision;

    private void Put(T item, CacheSnapshot<T> snapshot)
    {
        var key = ResourceKey.Of(item);
        var known = snapshot.Find(key);
        if (known is not null && known.Metadata.ResourceVersion == item.Metadata.ResourceVersion)
        {
            current = snapshot; // Our own write, coming back by the watch.
            return;
        }

        current = snapshot.With(item);
        Tell(new ResourceChange<T>(key, known, item));
    }

    private void Heard() => Interlocked.Exchange(ref lastHeardTimestamp, clock.GetTimestamp());

    private void Tell(ResourceChange<T> change)
    {
        changed?.SetResult();
        changed = null;
        foreach (var listener in listeners)
        {
            listener(change);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "The history of {Resource} after revision {Revision} is gone, listing again")]
        public static partial void Expired(ILogger logger, string resource, string revision);

        [LoggerMessage(2, LogLevel.Warning, "Cannot follow {Resource}, next try in {DelayMs} ms: {Cause}")]
        public static partial void Broken(ILogger logger, string resource, int delayMs, string cause);
    }
}

/// <summary>What is common to caches of all kinds.</summary>
public interface IResourceCache
{
    bool IsSynced { get; }

    /// <summary>Ends with the first list, or is cancelled when following ends before it.</summary>
    Task Synced { get; }

    TimeSpan Silence { get; }

    Task WaitForSyncAsync(CancellationToken stopping);

    Task RunAsync(CancellationToken stopping);
}

/// <summary>One change of one object: added when <see cref="Before"/> is null, removed when <see cref="After"/> is null.</summary>
public sealed record ResourceChange<T>(ResourceKey Key, T? Before, T? After)
    where T : Resource, IResource<T>;

/// <summary>
/// A resourceVersion as a number. Kubernetes promises that those of one resource type can be compared so; a server
/// that sends something else gets no read-your-own-writes, and nothing else is lost.
/// </summary>
internal static class Revisions
{
    public static bool TryParse(string? version, out long revision) =>
        long.TryParse(version, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out revision);

    public static long ParseOrZero(string? version) => TryParse(version, out var revision) ? revision : 0;
}
