using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Selectors;

namespace Godwit.Api.Kinds.Workloads;

/// <summary>Columns that the kinds share which make pods.</summary>
internal static class WorkloadColumns
{
    public const string None = "<none>";

    /// <summary>A number at a path; 0 where it is not there.</summary>
    public static TableColumn Count(string name, string description, params string[] path) =>
        new(name, "integer", description, (resource, _) => JsonAccess.AsInt64(resource.At(path)) ?? 0);

    /// <summary>One number of another, as in <c>2/3</c>.</summary>
    public static TableColumn Share(string name, string description, string[] some, string[] all) => Columns.Computed(
        name, description, resource => string.Create(CultureInfo.InvariantCulture, $"{JsonAccess.AsInt64(resource.At(some)) ?? 0}/{JsonAccess.AsInt64(resource.At(all)) ?? 0}"));

    /// <summary>Names and images of the template's containers, for <c>-o wide</c>.</summary>
    public static IEnumerable<TableColumn> Containers(params string[] template) =>
    [
        Columns.Computed("Containers", "The names of the containers.", resource => Joined(resource, template, "name"), priority: 1),
        Columns.Computed("Images", "The images of the containers.", resource => Joined(resource, template, "image"), priority: 1),
    ];

    /// <summary>The label selector at a path, for <c>-o wide</c>.</summary>
    public static TableColumn Selector(params string[] path) => Columns.Computed("Selector", "The labels of its pods.", resource => resource.ObjectAt(path) is { Count: > 0 } selector && LabelSelector.FromJson(selector) is { MatchesEverything: false } labels ? labels.ToString() : None, priority: 1);

    private static string Joined(JsonObject resource, string[] template, string field) =>
        string.Join(',', (resource.ArrayAt([.. template, "spec", "containers"]) ?? []).Select(container => container.TextAt(field)));
}
