using Godwit.Base;

namespace Godwit.Api.Core.V1;

/// <summary>Bounds and defaults for one type of thing.</summary>
public sealed record LimitRangeItem
{
    /// <summary><c>Container</c>, or <c>Pod</c> for the sum of its containers.</summary>
    public string Type { get; init => field = value ?? ""; } = "";

    public IReadOnlyDictionary<string, Quantity> Max { get; init => field = value ?? Quantities.None; } = Quantities.None;

    public IReadOnlyDictionary<string, Quantity> Min { get; init => field = value ?? Quantities.None; } = Quantities.None;

    /// <summary>The limit of a container that has none.</summary>
    public IReadOnlyDictionary<string, Quantity> Default { get; init => field = value ?? Quantities.None; } = Quantities.None;

    /// <summary>The request of a container that has none.</summary>
    public IReadOnlyDictionary<string, Quantity> DefaultRequest { get; init => field = value ?? Quantities.None; } = Quantities.None;

    /// <summary>A limit is at most so many times its request.</summary>
    public IReadOnlyDictionary<string, Quantity> MaxLimitRequestRatio { get; init => field = value ?? Quantities.None; } = Quantities.None;
}

public sealed record LimitRangeSpec
{
    public IReadOnlyList<LimitRangeItem> Limits { get; init => field = value ?? []; } = [];
}

/// <summary>Bounds what each pod and container of a namespace may ask for, and says what they ask for that say nothing.</summary>
public sealed record LimitRange() : Resource(Type), IResource<LimitRange>
{
    public static ResourceType Type { get; } = new("", "v1", "LimitRange", "limitranges", Namespaced: true);

    public LimitRangeSpec Spec { get; init => field = value ?? new(); } = new();
}
