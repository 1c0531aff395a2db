namespace Godwit.Api.Apps.V1;

/// <summary>One observed fact about what keeps pods.</summary>
public sealed record WorkloadCondition
{
    public string Type { get; init => field = value ?? ""; } = "";

    public string Status { get; init => field = value ?? ""; } = "";

    public DateTimeOffset? LastTransitionTime { get; init; }

    public string? Reason { get; init; }

    public string? Message { get; init; }
}
