using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery;

/// <summary>The columns that kinds are made of.</summary>
public static class Columns
{
    /// <summary>The columns of a kind that names none.</summary>
    public static IReadOnlyList<TableColumn> Standard { get; } = [Age()];

    /// <summary>How long ago the object was made.</summary>
    public static TableColumn Age(int priority = 0) => new(
        "Age", "string", "How long ago the object was made.", (resource, now) => HumanDuration.Since(resource.TextAt("metadata", "creationTimestamp"), now), priority);

    /// <summary>The text at a path; nothing when it is not there.</summary>
    public static TableColumn Text(string name, string description, params string[] path) =>
        new(name, "string", description, (resource, _) => resource.TextAt(path));

    /// <summary>The text at a path, only with <c>-o wide</c>.</summary>
    public static TableColumn WideText(string name, string description, params string[] path) => Text(name, description, path) with { Priority = 1 };

    /// <summary>The status (True, False, Unknown) of one condition.</summary>
    public static TableColumn Condition(string name, string description, string conditionType, int priority = 0) =>
        new(name, "string", description, (resource, _) => ConditionStatus(resource, conditionType), priority);

    public static TableColumn Computed(string name, string description, Func<JsonObject, string?> cell, int priority = 0) =>
        new(name, "string", description, (resource, _) => cell(resource), priority);

    /// <summary>The status of a condition, or null when it is not there.</summary>
    public static string? ConditionStatus(JsonObject resource, string conditionType)
    {
        foreach (var condition in resource.ArrayAt("status", "conditions") ?? [])
        {
            if (condition.TextAt("type") == conditionType)
            {
                return condition.TextAt("status");
            }
        }

        return null;
    }
}
