namespace Godwit.Api.Core.V1;

/// <summary>The phases of a pod.</summary>
public static class PodPhases
{
    public const string Pending = "Pending";
    public const string Running = "Running";
    public const string Succeeded = "Succeeded";
    public const string Failed = "Failed";

    public static bool IsFinal(string? phase) => phase is Succeeded or Failed;
}

/// <summary>The conditions of a pod: the first is its scheduler's to write, the others its node's.</summary>
public static class PodConditionTypes
{
    public const string PodScheduled = "PodScheduled";
    public const string Initialized = "Initialized";
    public const string ContainersReady = "ContainersReady";
    public const string Ready = "Ready";
}
