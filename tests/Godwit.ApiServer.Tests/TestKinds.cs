using Godwit.Api.Machinery;

namespace Godwit.ApiServer.Tests;

/// <summary>Kinds without rules of their own, enough to show what the machinery does for every kind.</summary>
internal static class TestKinds
{
    public static ResourceRegistry Registry { get; } = new(
    [
        Kind("", "v1", "Namespace", "namespaces", namespaced: false),
        Kind("", "v1", "ConfigMap", "configmaps", namespaced: true) with { HasStatus = false },
        Kind("godwit.dev", "v1alpha1", "Widget", "widgets", namespaced: true),
    ]);

    private static ResourceDefinition Kind(string group, string version, string kind, string plural, bool namespaced) => new()
    {
        Group = group,
        Version = version,
        Kind = kind,
        Plural = plural,
        Singular = kind.ToLowerInvariant(),
        Namespaced = namespaced,
        Schema = new ObjectSchema($"test.{kind}", "A kind for tests."),
        Strategy = new NoRules(),
        Columns = [],
        HasStatus = true,
    };

    private sealed class NoRules : ResourceStrategy;
}
