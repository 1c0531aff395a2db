using Godwit.Api.Migrations.V1Alpha1;

namespace Godwit.Controllers.Migrations;

/// <summary>
/// Which MigrationPolicy holds for a guest: of those whose selectors all match, the one that matches most labels; then
/// the one that matches more of the guest's own; then the first by name. That is KubeVirt's order.
/// </summary>
internal static class PolicyChoice
{
    public static MigrationPolicy? For(
        VirtualMachineInstance vmi, IReadOnlyDictionary<string, string> namespaceLabels, IEnumerable<MigrationPolicy> policies) =>
        policies
            .Select(policy => (Policy: policy, Selectors: policy.Spec.Selectors ?? new MigrationPolicySelectors()))
            .Where(each => Matches(each.Selectors.VirtualMachineInstanceSelector, vmi.Metadata.Labels)
                && Matches(each.Selectors.NamespaceSelector, namespaceLabels))
            .OrderByDescending(each => each.Selectors.VirtualMachineInstanceSelector.Count + each.Selectors.NamespaceSelector.Count)
            .ThenByDescending(each => each.Selectors.VirtualMachineInstanceSelector.Count)
            .ThenBy(each => each.Policy.Metadata.Name, StringComparer.Ordinal)
            .Select(each => each.Policy)
            .FirstOrDefault();

    private static bool Matches(IReadOnlyDictionary<string, string> selector, IReadOnlyDictionary<string, string> labels) =>
        selector.All(pair => labels.TryGetValue(pair.Key, out var value) && value == pair.Value);
}
