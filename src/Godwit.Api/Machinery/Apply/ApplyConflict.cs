using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery.Apply;

/// <summary>A field that somebody else set and that an apply would change.</summary>
/// <param name="Manager">Who set it, as it is shown: <c>"kubectl-edit" using v1</c>, or <c>"alice"</c> for one who applies.</param>
/// <param name="Path">The field, like <c>.spec.taints</c> or <c>.items[name="a"].value</c>.</param>
public sealed record ApplyConflict(string Manager, string Path)
{
    internal static IEnumerable<ApplyConflict> Of(ManagedEntry entry, FieldSet fields) =>
        fields.Paths().Select(path => new ApplyConflict(Show(entry), PathText(path)));

    private static string Show(ManagedEntry entry)
    {
        var name = $"\"{entry.Manager}\"{(entry.Subresource.Length == 0 ? "" : $" with subresource \"{entry.Subresource}\"")}";
        return entry.IsApply ? name : $"{name} using {entry.ApiVersion}";
    }

    private static string PathText(IReadOnlyList<string> path) => string.Concat(path.Select(step => step[0] switch
    {
        'f' => "." + step[2..],
        'k' => "[" + string.Join(',', (JsonNode.Parse(step[2..]) as JsonObject ?? []).Select(key => $"{key.Key}={FieldSet.StepText(key.Value)}")) + "]",
        'v' => $"[={step[2..]}]",
        _ => $"[{step[2..]}]",
    }));
}

/// <summary>Fields of other managers would change, and the client did not say that it takes them over.</summary>
public sealed class ApplyConflictException(IReadOnlyList<ApplyConflict> conflicts) : Exception(Describe(conflicts))
{
    public IReadOnlyList<ApplyConflict> Conflicts { get; } = conflicts;

    private static string Describe(IReadOnlyList<ApplyConflict> conflicts)
    {
        if (conflicts.Count == 1)
        {
            return $"Apply failed with 1 conflict: conflict with {conflicts[0].Manager}: {conflicts[0].Path}";
        }

        var byManager = conflicts.GroupBy(conflict => conflict.Manager, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => $"conflicts with {group.Key}:\n{string.Join('\n', group.Select(conflict => $"- {conflict.Path}"))}");
        return $"Apply failed with {conflicts.Count} conflicts: {string.Join('\n', byManager)}";
    }
}
