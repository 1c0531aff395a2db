using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery.Selectors;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>Which objects of a kind a list, watch or collection deletion is about. Looks no deeper into an object than it must: key, labels, whole.</summary>
internal sealed record ObjectFilter(ServedResource Resource, string Namespace, string Name)
{
    // Bytes that every match holds, so that most objects of a large collection are passed over without being read.
    private readonly byte[]? mark;

    /// <summary>What the labels must be.</summary>
    public LabelSelector Labels
    {
        get;
        init
        {
            field = value;
            mark = MarkOf(value);
        }
    } = LabelSelector.Everything;

    /// <summary>What must hold of fields that are not in the key; null for nothing.</summary>
    public Func<JsonObject, bool>? Fields { get; init; }

    /// <summary>True when the key alone decides.</summary>
    public bool MatchesByKey => Fields is null && Labels.MatchesEverything;

    /// <summary>True when every object of the kind, or of the namespace, matches.</summary>
    public bool CountsAll => MatchesByKey && Name.Length == 0;

    /// <summary>The key of the one object that can match, or null.</summary>
    public string? ExactKey => Name.Length > 0 && (Namespace.Length > 0 || !Resource.Definition.Namespaced) ? Resource.Key(Namespace, Name) : null;

    /// <exception cref="StatusException">A selector that is none, or selects by what the kind cannot be selected by: 400.</exception>
    public static ObjectFilter Read(ServedResource resource, RequestInfo info, ListOptions options)
    {
        try
        {
            var selector = FieldSelector.Parse(options.FieldSelector);
            var needsObject = selector.Requirements.Any(requirement => requirement is not { Field: "metadata.name", IsEqual: true });
            return new ObjectFilter(resource, info.Namespace, selector.ExactName ?? info.Name)
            {
                Labels = LabelSelector.Parse(options.LabelSelector),
                Fields = needsObject ? selector.For(resource.Definition) : null,
            };
        }
        catch (FormatException error)
        {
            throw StatusException.BadRequest($"unable to parse the selector: {error.Message}", error);
        }
    }

    public bool Matches(StoredObject candidate)
    {
        if (Name.Length > 0 && !candidate.Name.SequenceEqual(Name))
        {
            return false;
        }

        if (mark is not null && candidate.Value.Span.IndexOf(mark) < 0)
        {
            return false;
        }

        if (!Labels.MatchesEverything && !Labels.Matches(StoredLabels.Read(candidate.Value.Span)))
        {
            return false;
        }

        return Fields is null || Fields(candidate.Resource.Form.Decode(candidate.Value.Span, candidate.Revision));
    }

    /// <summary>A label that must have one value, as <see cref="StoredForm"/> writes it; null when there is none, or it might be written otherwise.</summary>
    private static byte[]? MarkOf(LabelSelector labels) =>
        labels.Requirements.FirstOrDefault(requirement => requirement is { Operator: SelectorOperator.In, Values.Count: 1 }) is { } one && IsPlain(one.Key) && IsPlain(one.Values[0])
            ? Encoding.UTF8.GetBytes($"\"{one.Key}\":\"{one.Values[0]}\"")
            : null;

    private static bool IsPlain(string text) => text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.' or '/');
}
