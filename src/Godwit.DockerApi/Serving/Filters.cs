using System.Text.Json;

namespace Godwit.DockerApi.Serving;

/// <summary>What a listing or pruning is narrowed by: to each name, values of which one must fit.</summary>
internal sealed class Filters
{
    private const int TextLengthMax = 64 << 10;

    private readonly Dictionary<string, List<string>> values = new(StringComparer.Ordinal);

    public static Filters None { get; } = new();

    /// <summary>Reads both forms that clients send: <c>{"name":["a"]}</c> and <c>{"name":{"a":true}}</c>.</summary>
    /// <exception cref="DockerException">It is neither.</exception>
    public static Filters Parse(string? text)
    {
        var read = new Filters();
        if (string.IsNullOrEmpty(text))
        {
            return read;
        }

        try
        {
            using var document = text.Length <= TextLengthMax ? JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 4 }) : throw new JsonException("it is too long");
            foreach (var filter in document.RootElement.EnumerateObject())
            {
                read.values[filter.Name] = filter.Value.ValueKind is JsonValueKind.Array
                    ? [.. filter.Value.EnumerateArray().Select(value => value.GetString() ?? "")]
                    : [.. filter.Value.EnumerateObject().Where(value => value.Value.ValueKind is JsonValueKind.True).Select(value => value.Name)];
            }
        }
        catch (Exception reason) when (reason is JsonException or InvalidOperationException)
        {
            throw DockerException.Invalid("invalid filter", reason);
        }

        return read;
    }

    /// <summary>The values for a name; empty when it does not narrow.</summary>
    public IReadOnlyList<string> this[string name] => values.TryGetValue(name, out var found) ? found : [];

    public bool Has(string name) => this[name].Count > 0;

    /// <exception cref="DockerException">There is a name that is not among these.</exception>
    public Filters Allow(params ReadOnlySpan<string> names)
    {
        foreach (var name in values.Keys)
        {
            if (!names.Contains(name))
            {
                throw DockerException.Invalid($"invalid filter '{name}'");
            }
        }

        return this;
    }

    /// <summary>Whether one of the values fits, or there are none.</summary>
    public bool Fits(string name, Func<string, bool> fits) => this[name] is not { Count: > 0 } wanted || wanted.Any(fits);

    /// <summary>Whether the labels hold all that <c>label</c> asks (<c>name</c> or <c>name=value</c>), and nothing that <c>label!</c> forbids.</summary>
    public bool FitsLabels(IReadOnlyDictionary<string, string>? labels) => this["label"].All(wanted => HasLabel(labels, wanted)) && !this["label!"].Any(unwanted => HasLabel(labels, unwanted));

    /// <summary>A flag such as <c>dangling</c>; null when it was not given.</summary>
    /// <exception cref="DockerException">It is neither true nor false.</exception>
    public bool? Flag(string name) => this[name] is not [var text, ..] ? null : text switch
    {
        "1" or "true" or "True" => true,
        "0" or "false" or "False" => false,
        _ => throw DockerException.Invalid($"invalid filter '{name}=[{text}]'"),
    };

    private static bool HasLabel(IReadOnlyDictionary<string, string>? labels, string wanted)
    {
        var equals = wanted.IndexOf('=', StringComparison.Ordinal);
        return labels is not null && labels.TryGetValue(equals < 0 ? wanted : wanted[..equals], out var value) && (equals < 0 || value == wanted[(equals + 1)..]);
    }
}
