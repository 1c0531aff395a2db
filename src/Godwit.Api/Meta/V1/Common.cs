namespace Godwit.Api.Meta.V1;

/// <summary>One observed fact about an object. At most one of each <see cref="Type"/>.</summary>
public sealed record Condition
{
    public string Type { get; init => field = value ?? ""; } = "";

    /// <summary>One of <see cref="ConditionStatuses"/>.</summary>
    public string Status { get; init => field = value ?? ""; } = "";

    /// <summary>One word in CamelCase, for programs.</summary>
    public string? Reason { get; init; }

    /// <summary>For people.</summary>
    public string? Message { get; init; }

    public DateTimeOffset? LastProbeTime { get; init; }

    /// <summary>When <see cref="Status"/> last changed.</summary>
    public DateTimeOffset? LastTransitionTime { get; init; }
}

public static class ConditionStatuses
{
    public const string True = "True";
    public const string False = "False";
    public const string Unknown = "Unknown";
}

/// <summary>How an object is to be deleted.</summary>
public sealed record DeleteOptions
{
    public string ApiVersion { get; } = "v1";

    public string Kind { get; } = "DeleteOptions";

    public long? GracePeriodSeconds { get; init; }

    public Preconditions? Preconditions { get; init; }

    /// <summary>One of <see cref="PropagationPolicies"/>.</summary>
    public string? PropagationPolicy { get; init; }

    /// <summary>Older way to say propagationPolicy Orphan.</summary>
    public bool? OrphanDependents { get; init; }

    /// <summary><c>All</c>: check everything, change nothing.</summary>
    public IReadOnlyList<string> DryRun { get; init => field = value ?? []; } = [];
}

/// <summary>What must still be so for a deletion to go ahead.</summary>
public sealed record Preconditions
{
    public string? Uid { get; init; }

    public string? ResourceVersion { get; init; }
}

public static class PropagationPolicies
{
    public const string Orphan = "Orphan";
    public const string Background = "Background";
    public const string Foreground = "Foreground";
}
