namespace Godwit.ApiServer.Requests;

/// <summary>
/// What a request line asks for, read from method, path and query alone, before anything is looked up. Both
/// authorisation and routing decide on this one value, so they cannot disagree about what is touched.
/// <para>
/// Resource paths: <c>/api/v1</c> or <c>/apis/GROUP/VERSION</c>, then <c>[namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE[/REST]]]</c>.
/// The path is read from the raw request target: no dot segment is ever resolved, it is refused.
/// </para>
/// </summary>
internal sealed record RequestInfo
{
    /// <summary>The path as it was sent, without the query; for messages and non-resource rules.</summary>
    public required string Path { get; init; }

    /// <summary>get, list, watch, create, update, patch, delete or deletecollection; the lower-case method for a non-resource path.</summary>
    public required string Verb { get; init; }

    /// <summary>True when the path names a resource; else only <see cref="Path"/> and <see cref="Verb"/> mean something.</summary>
    public bool IsResource { get; init; }

    public string Group { get; init; } = "";

    public string Version { get; init; } = "";

    public string Resource { get; init; } = "";

    /// <summary>Empty for a cluster-wide request.</summary>
    public string Namespace { get; init; } = "";

    public string Name { get; init; } = "";

    public string Subresource { get; init; } = "";

    /// <summary>The node that a <c>spec.nodeName=</c> field selector (of volumes <c>godwit.dev/node=</c>) narrows a list or watch to, or empty.</summary>
    public string SelectedNode { get; init; } = "";

    public StatusSubject Subject => new(Group, Resource, Name);

    /// <summary>Reads a request line.</summary>
    /// <param name="method">The HTTP method, upper case.</param>
    /// <param name="rawTarget">The request target as sent, still percent-encoded, with its query.</param>
    /// <param name="watching">Whether the query asks for a watch.</param>
    /// <param name="queryName">The name that a <c>metadata.name=</c> field selector narrows a list or watch to, or empty.</param>
    /// <exception cref="StatusException">The path holds what no path of this API may hold.</exception>
    public static RequestInfo Parse(string method, string rawTarget, bool watching, string queryName = "")
    {
        var query = rawTarget.IndexOf('?', StringComparison.Ordinal);
        var path = query < 0 ? rawTarget : rawTarget[..query];
        var segments = Split(path);
        var head = segments switch
        {
            ["api", _, _, ..] => 2,
            ["apis", _, _, _, ..] => 3,
            _ => 0,
        };
        if (head == 0)
        {
            return new RequestInfo { Path = path, Verb = method.ToLowerInvariant() };
        }

        var info = new RequestInfo
        {
            Path = path,
            Verb = "",
            IsResource = true,
            Group = head == 3 ? segments[1] : "",
            Version = segments[head - 1],
        };
        info = WithResource(info, segments.AsSpan(head));
        return info with
        {
            Verb = VerbOf(method, watching, info),
            Name = info.Name.Length == 0 && method == "GET" ? queryName : info.Name,
        };
    }

    private static RequestInfo WithResource(RequestInfo info, ReadOnlySpan<string> rest)
    {
        // /namespaces/NS/RESOURCE/... is something inside NS; /namespaces/NS[/status|finalize] is the namespace itself.
        if (rest.Length > 2 && rest[0] == "namespaces" && rest[2] is not ("status" or "finalize"))
        {
            info = info with { Namespace = rest[1] };
            rest = rest[2..];
        }

        return rest.Length > 4
            ? throw StatusException.UnknownPath()
            : info with
            {
                Resource = rest[0],
                Name = rest.Length > 1 ? rest[1] : "",
                Subresource = rest.Length > 2 ? string.Join('/', rest[2..].ToArray()) : "",
            };
    }

    private static string VerbOf(string method, bool watching, RequestInfo info) => method switch
    {
        // A watch of one object by its path is a watch for the rules too: a right to get is none to follow.
        "GET" or "HEAD" or "CONNECT" when watching && info.Subresource.Length == 0 => "watch",
        "GET" or "HEAD" or "CONNECT" => info.Name.Length > 0 ? "get" : "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => info.Name.Length > 0 ? "delete" : "deletecollection",
        _ => method.ToLowerInvariant(),
    };

    private static string[] Split(string path)
    {
        var raw = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        for (var index = 0; index < raw.Length; index++)
        {
            var segment = Uri.UnescapeDataString(raw[index]);
            if (segment is "." or ".." || segment.AsSpan().IndexOfAny('/', '%', '\\') >= 0 || segment.Any(char.IsControl))
            {
                throw StatusException.BadRequest($"the path segment '{raw[index]}' cannot be part of a name: '.', '..', '/', '%' and control characters are refused");
            }

            raw[index] = segment;
        }

        return raw;
    }
}
