namespace Godwit.DockerApi.Serving;

/// <summary>What answers one kind of request.</summary>
/// <param name="Method">HTTP's.</param>
/// <param name="Path">
/// Segments below the version, such as <c>containers/{id}/json</c>. <c>{id}</c> is one segment, <c>{name*}</c> one or
/// more: images' names have slashes.
/// </param>
/// <param name="Handle">Answers, or throws what <see cref="DockerErrors"/> has words for.</param>
internal sealed record Endpoint(string Method, string Path, Func<Exchange, Task> Handle)
{
    private readonly string[] segments = Path.Split('/');

    /// <summary>What the placeholder stands for, the empty text where the path has none; null when the path is another.</summary>
    public string? Match(string[] asked)
    {
        var open = Array.FindIndex(segments, segment => segment.EndsWith("*}", StringComparison.Ordinal));
        if (open < 0 ? asked.Length != segments.Length : asked.Length < segments.Length)
        {
            return null;
        }

        var found = "";
        for (var (mine, theirs) = (0, 0); mine < segments.Length; mine++)
        {
            var take = mine == open ? asked.Length - segments.Length + 1 : 1;
            if (segments[mine].StartsWith('{'))
            {
                found = string.Join('/', asked, theirs, take);
                if (found.Length == 0)
                {
                    return null;
                }
            }
            else if (segments[mine] != asked[theirs])
            {
                return null;
            }

            theirs += take;
        }

        return found;
    }
}

/// <summary>Finds the endpoint of a request.</summary>
internal sealed class EndpointTable(IReadOnlyList<Endpoint> endpoints)
{
    private readonly ILookup<string, Endpoint> byMethod = endpoints.ToLookup(endpoint => endpoint.Method, StringComparer.Ordinal);

    /// <exception cref="DockerException">There is none.</exception>
    public (Endpoint Endpoint, string Name) Find(string method, string path)
    {
        var asked = path.Trim('/').Split('/');
        foreach (var endpoint in byMethod[method])
        {
            if (endpoint.Match(asked) is { } name)
            {
                return (endpoint, name);
            }
        }

        var others = endpoints.Where(endpoint => endpoint.Match(asked) is not null).Select(endpoint => endpoint.Method).Distinct(StringComparer.Ordinal).ToList();
        throw others.Count > 0
            ? new DockerException(405, $"{path} takes {string.Join(", ", others)}, not {method}")
            : DockerException.NotThere($"page not found: godwit has no endpoint {method} {(path.Length > 200 ? path[..200] + "…" : path)}");
    }
}
