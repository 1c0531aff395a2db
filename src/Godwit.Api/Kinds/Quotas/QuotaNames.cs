using Godwit.Api.Core.V1;

namespace Godwit.Api.Kinds.Quotas;

/// <summary>
/// The resources that a quota bounds: <c>cpu</c>, <c>memory</c>, <c>requests.…</c> and <c>limits.…</c> of pods that have not ended; the number of such
/// pods; <c>requests.storage</c> of claims; the number of objects of a kind, as <c>count/PLURAL.GROUP</c>, and for some kinds of the core group by their plural alone.
/// </summary>
public static class QuotaNames
{
    public const string Requests = "requests.";
    public const string Limits = "limits.";
    public const string Count = "count/";

    public const string Terminating = "Terminating";
    public const string NotTerminating = "NotTerminating";
    public const string BestEffort = "BestEffort";
    public const string NotBestEffort = "NotBestEffort";

    /// <summary>Each scope and the one that excludes it.</summary>
    public static IReadOnlyDictionary<string, string> Scopes { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        [Terminating] = NotTerminating,
        [NotTerminating] = Terminating,
        [BestEffort] = NotBestEffort,
        [NotBestEffort] = BestEffort,
    };

    /// <summary>What claims ask for, in bytes.</summary>
    public const string ClaimStorage = "requests.storage";

    public static IReadOnlyList<string> Compute { get; } = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

    /// <summary>Kinds of the core group that are counted under their plural. Pods that have ended are not.</summary>
    public static IReadOnlyList<string> Plurals { get; } = ["pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims"];

    /// <summary>The name of a computed resource in <see cref="PodUse.Amounts"/>; null for one that is counted.</summary>
    public static string? AmountOf(string resource) => !Compute.Contains(resource) ? null : resource.Contains('.', StringComparison.Ordinal) ? resource : Requests + resource;

    /// <summary>Whether a quota's scopes pick a pod.</summary>
    public static bool Picks(IReadOnlyList<string> scopes, PodUse pod) => scopes.All(scope => scope switch
    {
        Terminating => pod.HasDeadline,
        NotTerminating => !pod.HasDeadline,
        BestEffort => pod.IsBestEffort,
        NotBestEffort => !pod.IsBestEffort,
        _ => false,
    });

    /// <summary>How much of a resource a pod takes from a quota.</summary>
    public static decimal TakenBy(PodUse pod, string resource, IReadOnlyList<string> scopes) =>
        resource == "count/pods" ? 1
        : pod.IsOver || !Picks(scopes, pod) ? 0
        : resource == Quantities.Pods ? 1
        : AmountOf(resource) is { } amount ? pod.Amounts.GetValueOrDefault(amount)
        : 0;
}
