namespace Godwit.ApiServer.Requests;

/// <summary>Which state a list shows.</summary>
internal enum ResourceVersionMatch
{
    /// <summary>The present, as of the moment of asking.</summary>
    Latest,

    /// <summary>Any state at least as new as the version given.</summary>
    NotOlderThan,

    /// <summary>Just the version given.</summary>
    Exact,
}

/// <summary>The query of a list or a watch.</summary>
internal sealed record ListOptions
{
    /// <summary>A watch ends by itself after about this long when it does not say; the client resumes.</summary>
    private const int WatchSecondsDefault = 2700;

    private const int WatchSecondsMax = 24 * 3600;

    /// <summary>The version given, or 0.</summary>
    public long ResourceVersion { get; private init; }

    /// <summary>Whether a version was given at all: 0 is one (any state will do).</summary>
    public bool HasResourceVersion { get; private init; }

    public ResourceVersionMatch Match { get; private init; }

    /// <summary>Objects in one answer at most; 0 is all.</summary>
    public int Limit { get; private init; }

    public string Continue { get; private init; } = "";

    public string LabelSelector { get; private init; } = "";

    public string FieldSelector { get; private init; } = "";

    public TimeSpan Timeout { get; private init; }

    public bool AllowWatchBookmarks { get; private init; }

    /// <summary>A watch that begins with the present state and marks its end (a streaming list).</summary>
    public bool SendInitialEvents { get; private init; }

    public static ListOptions Read(ApiRequest request)
    {
        var version = request.Query("resourceVersion");
        var options = new ListOptions
        {
            HasResourceVersion = version.Length > 0,
            ResourceVersion = request.QueryNumber("resourceVersion"),
            Limit = (int)Math.Min(request.QueryNumber("limit"), int.MaxValue),
            Continue = request.Query("continue"),
            LabelSelector = request.Query("labelSelector"),
            FieldSelector = request.Query("fieldSelector"),
            Timeout = TimeSpan.FromSeconds(request.QueryNumber("timeoutSeconds") is var seconds and > 0 ? Math.Min(seconds, WatchSecondsMax) : WatchSecondsDefault),
            AllowWatchBookmarks = request.QueryFlag("allowWatchBookmarks"),
            SendInitialEvents = request.QueryFlag("sendInitialEvents"),
        };
        return options with { Match = ReadMatch(request.Query("resourceVersionMatch"), options, request.Info.Verb == "watch") };
    }

    private static ResourceVersionMatch ReadMatch(string match, ListOptions options, bool watching)
    {
        if (watching && options.SendInitialEvents && match != "NotOlderThan")
        {
            throw StatusException.BadRequest("sendInitialEvents needs resourceVersionMatch=NotOlderThan");
        }

        if (watching && match.Length > 0 && !options.SendInitialEvents)
        {
            throw StatusException.BadRequest("resourceVersionMatch is forbidden for a watch, unless sendInitialEvents is set");
        }

        if (options.Continue.Length > 0 && (match.Length > 0 || options.ResourceVersion > 0))
        {
            throw StatusException.BadRequest("a continue token already says which version it continues: resourceVersion and resourceVersionMatch are forbidden with it");
        }

        if (match.Length > 0 && !options.HasResourceVersion && !watching)
        {
            throw StatusException.BadRequest("resourceVersionMatch is forbidden unless resourceVersion is given");
        }

        return match switch
        {
            // A page of a paged list at a version is exact for a client of any age; without a limit, at least that new will do.
            "" => !options.HasResourceVersion ? ResourceVersionMatch.Latest
                : options is { Limit: > 0, ResourceVersion: > 0 } ? ResourceVersionMatch.Exact : ResourceVersionMatch.NotOlderThan,
            "NotOlderThan" => ResourceVersionMatch.NotOlderThan,
            "Exact" when options.ResourceVersion > 0 => ResourceVersionMatch.Exact,
            "Exact" => throw StatusException.BadRequest("resourceVersionMatch=Exact is forbidden with resourceVersion=0"),
            _ => throw StatusException.BadRequest($"resourceVersionMatch={match} is not one of Exact, NotOlderThan"),
        };
    }
}
