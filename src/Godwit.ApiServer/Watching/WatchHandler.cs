using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Telemetry;
using Godwit.Store;

namespace Godwit.ApiServer.Watching;

/// <summary>
/// Answers watches: a line of JSON per change, without end, until the client leaves or its time is over.
/// <para>
/// A watcher is a cursor in the store's log and nothing else: it has no queue. One that reads slowly is held back by its
/// own connection, is cut by the server's minimum data rate, and costs the others nothing. One whose cursor falls behind
/// compaction gets <c>410 Expired</c> as an ERROR event, and lists again.
/// </para>
/// </summary>
internal sealed class WatchHandler(IRevisionStore store, ListHandler lists, ObjectViews views, ServerMetrics metrics, TimeProvider clock)
{
    /// <summary>How often a client that asked for bookmarks hears how far it has seen.</summary>
    private static readonly TimeSpan BookmarkInterval = TimeSpan.FromMinutes(1);

    private readonly SharedEvents shared = new();

    public async Task HandleAsync(ApiRequest request, ServedResource resource)
    {
        var options = ListOptions.Read(request);
        var accepted = Negotiation.Choose(request.Http.Request.Headers.Accept.ToString());
        if (accepted.Format != BodyFormat.Json)
        {
            throw StatusException.NotAcceptable("a watch is only written as application/json");
        }

        var filter = ObjectFilter.Read(resource, request.Info, options);
        var stream = new WatchStream(request.Http.Response.BodyWriter, filter, views.For(accepted.View, resource, request), shared);
        using var timeout = new CancellationTokenSource(options.Timeout, clock);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(request.Stopping, timeout.Token);
        var initial = !options.HasResourceVersion || options.ResourceVersion == 0 || options.SendInitialEvents;
        var start = initial ? await lists.StartAsync(filter, options, ending.Token) : new ListStart(await PresentableAsync(options, ending.Token), null);
        request.PrepareAnswer(200, "application/json");
        await request.Http.Response.StartAsync(ending.Token);
        metrics.WatchStarted();
        try
        {
            stream.Revision = initial ? await SendPresentAsync(stream, filter, start, ending.Token) : start.Revision;
            if (options.SendInitialEvents)
            {
                stream.WriteBookmark(resource, initialEventsEnd: true);
            }

            await stream.FlushAsync(ending.Token);
            await FollowAsync(stream, resource, options, ending.Token);
        }
        catch (StoreCompactedException error)
        {
            stream.WriteError(StatusException.Expired($"too old resource version: {error.RequestedRevision} ({error.CompactedRevision})"));
            await stream.FlushAsync(request.Stopping);
        }
        catch (OperationCanceledException) when (!request.Http.RequestAborted.IsCancellationRequested)
        {
            // Its time is over or the server stops: a whole answer, from whose end the client goes on.
            if (options.AllowWatchBookmarks)
            {
                stream.WriteBookmark(resource, initialEventsEnd: false);
                await stream.FlushAsync(request.Http.RequestAborted);
            }
        }
        finally
        {
            metrics.WatchEnded();
        }
    }

    private async Task<long> PresentableAsync(ListOptions options, CancellationToken stopping)
    {
        var current = await store.GetCurrentRevisionAsync(stopping);
        return options.ResourceVersion <= current ? options.ResourceVersion : throw StatusException.ResourceVersionTooLarge(options.ResourceVersion, current);
    }

    private async Task<long> SendPresentAsync(WatchStream stream, ObjectFilter filter, ListStart start, CancellationToken stopping)
    {
        var revision = 0L;
        await foreach (var page in lists.ReadAllAsync(filter, start, stopping))
        {
            revision = page.Revision;
            foreach (var item in page.Items)
            {
                stream.WriteEvent("ADDED"u8, item);
            }

            await stream.FlushAsync(stopping);
        }

        return revision;
    }

    private async Task FollowAsync(WatchStream stream, ServedResource resource, ListOptions options, CancellationToken stopping)
    {
        var prefix = resource.ListPrefix(stream.Filter.Namespace);
        await using var batches = store.WatchAsync(prefix, stream.Revision, stopping).GetAsyncEnumerator(stopping);
        while (true)
        {
            var next = batches.MoveNextAsync().AsTask();
            while (!await IsDoneAsync(next, stopping))
            {
                // Nothing came for a while: say how far the client has seen.
                if (options.AllowWatchBookmarks)
                {
                    stream.WriteBookmark(resource, initialEventsEnd: false);
                    await stream.FlushAsync(stopping);
                }
            }

            if (!await next)
            {
                return;
            }

            if (stream.Write(resource, batches.Current))
            {
                await stream.FlushAsync(stopping);
            }
        }
    }

    private async Task<bool> IsDoneAsync(Task<bool> pending, CancellationToken stopping)
    {
        if (pending.IsCompleted)
        {
            return true;
        }

        await ((Task)pending).WaitAsync(BookmarkInterval, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (stopping.IsCancellationRequested)
        {
            // The read stops by the same token; it must have ended before its enumerator may be disposed of.
            await pending;
        }

        return pending.IsCompleted;
    }
}

/// <summary>The lines of one watch.</summary>
internal sealed class WatchStream(System.IO.Pipelines.PipeWriter output, ObjectFilter filter, ObjectView view, SharedEvents shared)
{
    public ObjectFilter Filter { get; } = filter;

    /// <summary>Everything up to and including this revision has been written.</summary>
    public long Revision { get; set; }

    public async Task FlushAsync(CancellationToken stopping) => await output.FlushAsync(stopping);

    /// <summary>Writes what of a batch is for this watcher; false when that is nothing.</summary>
    public bool Write(ServedResource resource, StoreEventBatch batch)
    {
        var wrote = false;
        foreach (var change in batch.Events)
        {
            wrote |= Write(shared.Share(resource, change));
        }

        Revision = batch.Revision;
        return wrote;
    }

    public void WriteEvent(ReadOnlySpan<byte> type, StoredObject item)
    {
        output.Write("{\"type\":\""u8);
        output.Write(type);
        output.Write("\",\"object\":"u8);
        view.WriteObject(output, item);
        output.Write("}\n"u8);
    }

    public void WriteError(StatusException error)
    {
        output.Write("{\"type\":\"ERROR\",\"object\":"u8);
        using (var writer = new Utf8JsonWriter(output))
        {
            error.WriteTo(writer);
        }

        output.Write("}\n"u8);
    }

    /// <param name="initialEventsEnd">Marks the end of the initial state in a streaming list.</param>
    public void WriteBookmark(ServedResource resource, bool initialEventsEnd)
    {
        using (var writer = new Utf8JsonWriter(output))
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, "BOOKMARK"u8);
            writer.WriteStartObject("object"u8);
            writer.WriteString("kind"u8, resource.Definition.Kind);
            writer.WriteString("apiVersion"u8, resource.Definition.ApiVersion);
            writer.WriteStartObject("metadata"u8);
            writer.WriteString("resourceVersion"u8, Revision.ToString(CultureInfo.InvariantCulture));
            writer.WriteNull("creationTimestamp"u8);
            if (initialEventsEnd)
            {
                writer.WriteStartObject("annotations"u8);
                writer.WriteString("k8s.io/initial-events-end"u8, "true"u8);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        output.Write("\n"u8);
    }

    private bool Write(WatchEvent change)
    {
        if (Filter.MatchesByKey)
        {
            return Filter.Matches(change.Object) && WriteAs(change, change.Type);
        }

        var matches = change.Type != WatchEventType.Deleted && Filter.Matches(change.Object);
        var matched = change.Previous is { } previous && Filter.Matches(previous);
        return (matched, matches) switch
        {
            (false, true) => WriteAs(change, WatchEventType.Added),
            (true, true) => WriteAs(change, WatchEventType.Modified),
            (true, false) => WriteAs(change, WatchEventType.Deleted),
            _ => false,
        };
    }

    private bool WriteAs(WatchEvent change, WatchEventType type)
    {
        if (type == change.Type && view is WholeView)
        {
            output.Write(change.PlainLine(Encode).Span);
            return true;
        }

        // What leaves a selection is shown as it was, at the version at which it left.
        var item = type == WatchEventType.Deleted && change.Previous is { } previous ? previous with { Revision = change.Change.Revision } : change.Object;
        WriteEvent(NameOf(type), item);
        return true;
    }

    private static byte[] Encode(WatchEvent change)
    {
        var line = new ArrayBufferWriter<byte>(change.Change.Item.Value.Length + StoredForm.SpliceBytesMax + 40);
        line.Write("{\"type\":\""u8);
        line.Write(NameOf(change.Type));
        line.Write("\",\"object\":"u8);
        change.Object.Resource.Form.Write(line, change.Object.Value.Span, change.Object.Revision);
        line.Write("}\n"u8);
        return line.WrittenSpan.ToArray();
    }

    private static ReadOnlySpan<byte> NameOf(WatchEventType type) => type switch
    {
        WatchEventType.Added => "ADDED"u8,
        WatchEventType.Modified => "MODIFIED"u8,
        _ => "DELETED"u8,
    };
}
