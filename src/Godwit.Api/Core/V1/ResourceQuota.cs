using Godwit.Base;

namespace Godwit.Api.Core.V1;

/// <summary>How much there may be in a namespace.</summary>
public sealed record ResourceQuotaSpec
{
    /// <summary>By resource, as <see cref="Kinds.Quotas.QuotaNames"/> has them: at most so much.</summary>
    public IReadOnlyDictionary<string, Quantity> Hard { get; init => field = value ?? Quantities.None; } = Quantities.None;

    /// <summary>Which pods count; empty: all. A pod counts that is in every one of them.</summary>
    public IReadOnlyList<string> Scopes { get; init => field = value ?? []; } = [];
}

/// <summary>How much there is.</summary>
public sealed record ResourceQuotaStatus
{
    public IReadOnlyDictionary<string, Quantity> Hard { get; init => field = value ?? Quantities.None; } = Quantities.None;

    public IReadOnlyDictionary<string, Quantity> Used { get; init => field = value ?? Quantities.None; } = Quantities.None;
}

/// <summary>Bounds what a namespace may hold and ask for, in sum.</summary>
public sealed record ResourceQuota() : Resource(Type), IResource<ResourceQuota>
{
    public static ResourceType Type { get; } = new("", "v1", "ResourceQuota", "resourcequotas", Namespaced: true);

    public ResourceQuotaSpec Spec { get; init => field = value ?? new(); } = new();

    public ResourceQuotaStatus Status { get; init => field = value ?? new(); } = new();
}
