namespace Godwit.ApiServer.Requests;

/// <summary>How an answer's body is written.</summary>
internal enum BodyFormat
{
    Json,
    Yaml,
}

/// <summary>What the body shows of an object.</summary>
internal enum BodyView
{
    /// <summary>The object itself.</summary>
    Whole,

    /// <summary><c>as=Table</c>: rows for people.</summary>
    Table,

    /// <summary><c>as=PartialObjectMetadata[List]</c>: metadata only.</summary>
    MetadataOnly,
}

/// <summary>The representation chosen for one answer.</summary>
internal readonly record struct AcceptedType(BodyFormat Format, BodyView View);

/// <summary>Chooses a representation from an Accept header: the first clause, in the client's order, that this server can write.</summary>
internal static class Negotiation
{
    private const string Offered = "application/json, application/yaml, application/json;as=Table;v=v1;g=meta.k8s.io, application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";

    /// <exception cref="StatusException">Nothing that the client takes can be written: 406.</exception>
    public static AcceptedType Choose(string accept)
    {
        if (accept.Length == 0)
        {
            return default;
        }

        foreach (var clause in accept.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (Read(clause) is { } type)
            {
                return type;
            }
        }

        throw StatusException.NotAcceptable($"none of the media types in '{Shorten(accept)}' can be written; this server offers {Offered}");
    }

    private static AcceptedType? Read(string clause)
    {
        var parts = clause.Split(';', StringSplitOptions.TrimEntries);
        BodyFormat? format = parts[0] switch
        {
            "application/json" or "application/*" or "*/*" => BodyFormat.Json,
            "application/yaml" => BodyFormat.Yaml,
            _ => null,
        };
        var (view, known) = ReadView(parts);
        return format is { } writable && known ? new AcceptedType(writable, view) : null;
    }

    private static (BodyView View, bool Known) ReadView(string[] parts)
    {
        var (kind, group, version, refused) = ("", "", "", false);
        foreach (var parameter in parts.AsSpan(1))
        {
            var equals = parameter.IndexOf('=', StringComparison.Ordinal);
            var (name, value) = equals < 0 ? (parameter, "") : (parameter[..equals], parameter[(equals + 1)..]);
            (kind, group, version, refused) = name switch
            {
                "as" => (value, group, version, refused),
                "g" => (kind, value, version, refused),
                "v" => (kind, group, value, refused),
                "q" => (kind, group, version, refused || value is "0" or "0.0"),
                "stream" => (kind, group, version, refused || value != "watch"),
                _ => (kind, group, version, refused),
            };
        }

        return (kind, group, version) switch
        {
            _ when refused => default,
            ("", _, _) => (BodyView.Whole, true),
            ("Table", "meta.k8s.io", "v1") => (BodyView.Table, true),
            ("PartialObjectMetadata" or "PartialObjectMetadataList", "meta.k8s.io", "v1") => (BodyView.MetadataOnly, true),
            _ => default,
        };
    }

    private static string Shorten(string text) => text.Length <= 200 ? text : text[..200] + "…";
}
