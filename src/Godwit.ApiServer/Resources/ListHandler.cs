using Godwit.ApiServer.Requests;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Answers lists. The store gives pages at one revision; a list without a limit is streamed from such pages, so the
/// server holds one page of a collection in memory however large it is.
/// </summary>
internal sealed class ListHandler(IRevisionStore store, ObjectViews views)
{
    /// <summary>Objects read from the store in one go.</summary>
    private const int PageObjectsMax = 500;

    /// <summary>A larger limit than this is answered by this many and a continue token.</summary>
    private const int LimitMax = 10_000;

    public async Task HandleAsync(ApiRequest request, ServedResource resource)
    {
        var options = ListOptions.Read(request);
        var accepted = Negotiation.Choose(request.Http.Request.Headers.Accept.ToString());
        var view = views.For(accepted.View, resource, request);
        var filter = ObjectFilter.Read(resource, request.Info, options);
        var start = await StartAsync(filter, options, request.Stopping);
        if (options.Limit > 0)
        {
            await WritePageAsync(request, accepted, view, await GatherAsync(filter, start, Math.Min(options.Limit, LimitMax), request.Stopping));
        }
        else
        {
            await StreamAsync(request, accepted, view, (filter, start));
        }
    }

    /// <summary>Everything that matches, page after page, at one revision.</summary>
    public async IAsyncEnumerable<StoredPage> ReadAllAsync(ObjectFilter filter, ListStart start, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stopping)
    {
        var (revision, after, more) = (start.Revision, start.AfterKey, true);
        while (more)
        {
            var page = await ReadPageAsync(filter, new ListStart(revision, after), PageObjectsMax, counts: false, stopping);
            (revision, after, more) = (page.Revision, page.LastKey, page.Remaining > 0);
            yield return page;
        }
    }

    /// <summary>The revision and key to begin at.</summary>
    /// <exception cref="StatusException">The version is gone (410), or has not come yet (504).</exception>
    public async Task<ListStart> StartAsync(ObjectFilter filter, ListOptions options, CancellationToken stopping)
    {
        if (options.Continue.Length > 0)
        {
            var token = ContinueToken.Parse(options.Continue, filter.Resource.ListPrefix(filter.Namespace));
            return new ListStart(token.Revision, token.AfterKey, token.Remaining);
        }

        if (options.ResourceVersion > 0 && await store.GetCurrentRevisionAsync(stopping) is var current && options.ResourceVersion > current)
        {
            throw StatusException.ResourceVersionTooLarge(options.ResourceVersion, current);
        }

        return new ListStart(options.Match == ResourceVersionMatch.Exact ? options.ResourceVersion : 0, null);
    }

    private async Task<StoredPage> GatherAsync(ObjectFilter filter, ListStart start, int limit, CancellationToken stopping)
    {
        var items = new List<StoredObject>(Math.Min(limit, PageObjectsMax));
        while (true)
        {
            var page = await ReadPageAsync(filter, start, Math.Min(limit - items.Count, PageObjectsMax), counts: filter.CountsAll, stopping);
            items.AddRange(page.Items);
            if (items.Count == limit || page.Remaining == 0)
            {
                return page with { Items = items };
            }

            start = new ListStart(page.Revision, page.LastKey, page.RemainingIsExact ? page.Remaining : 0);
        }
    }

    private async Task<StoredPage> ReadPageAsync(ObjectFilter filter, ListStart start, int limit, bool counts, CancellationToken stopping)
    {
        // One object by name: no other key with its key as prefix comes before it.
        var single = filter.ExactKey;
        var query = new StoreListQuery(single ?? filter.Resource.ListPrefix(filter.Namespace), start.AfterKey, single is null ? limit : 1, start.Revision, counts && start.Remaining == 0);
        var list = await store.ListAsync(query, stopping);
        var items = new List<StoredObject>(list.Items.Count);
        foreach (var item in list.Items)
        {
            var found = filter.Resource.Object(item);
            if (filter.Matches(found))
            {
                items.Add(found);
            }
        }

        var remaining = single is not null || list.RemainingCount == 0 ? 0 : Math.Max(list.RemainingCount, start.Remaining - list.Items.Count);
        return new StoredPage(list.Revision, items, list.Items.Count == 0 ? start.AfterKey : list.Items[^1].Key, remaining, counts);
    }

    private static async Task WritePageAsync(ApiRequest request, AcceptedType accepted, ObjectView view, StoredPage page)
    {
        var next = page.Remaining > 0 ? new ContinueToken(page.Revision, page.LastKey!, page.RemainingIsExact ? page.Remaining : 0).ToString() : "";
        await using var answer = Answer.Begin(request, 200, accepted.Format, BytesOf(page));
        view.WriteListHead(answer.Writer, new ListHead(page.Revision, next, page.RemainingIsExact ? page.Remaining : 0));
        WriteItems(answer, view, page, first: true);
        ObjectView.WriteListTail(answer.Writer);
        await answer.CompleteAsync(request.Stopping);
    }

    private async Task StreamAsync(ApiRequest request, AcceptedType accepted, ObjectView view, (ObjectFilter Filter, ListStart Start) range)
    {
        Answer? answer = null;
        try
        {
            var first = true;
            await foreach (var page in ReadAllAsync(range.Filter, range.Start, request.Stopping))
            {
                if (answer is null)
                {
                    answer = Answer.Begin(request, 200, accepted.Format, page.Remaining > 0 ? Answer.CompressBytesMin : BytesOf(page));
                    view.WriteListHead(answer.Writer, new ListHead(page.Revision, "", 0));
                }

                WriteItems(answer, view, page, first);
                first = first && page.Items.Count == 0;
                await answer.Writer.FlushAsync(request.Stopping);
            }

            ObjectView.WriteListTail(answer!.Writer);
            await answer.CompleteAsync(request.Stopping);
        }
        finally
        {
            if (answer is not null)
            {
                await answer.DisposeAsync();
            }
        }
    }

    private static void WriteItems(Answer answer, ObjectView view, StoredPage page, bool first)
    {
        foreach (var item in page.Items)
        {
            if (!first)
            {
                answer.Writer.GetSpan(1)[0] = (byte)',';
                answer.Writer.Advance(1);
            }

            first = false;
            view.WriteListItem(answer.Writer, item);
        }
    }

    private static long BytesOf(StoredPage page) => page.Items.Sum(item => (long)item.Value.Length);
}

/// <summary>Where a list begins: at a revision (0 is now), after a key (null is the beginning), with so many objects to come (0: not known).</summary>
internal readonly record struct ListStart(long Revision, string? AfterKey, long Remaining = 0);

/// <summary>Objects of one revision. <see cref="Remaining"/> counts stored objects beyond <see cref="LastKey"/>, or says by 1 that there are any.</summary>
internal sealed record StoredPage(long Revision, List<StoredObject> Items, string? LastKey, long Remaining, bool RemainingIsExact);
