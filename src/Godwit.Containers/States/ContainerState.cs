using System.Text.Json.Serialization;
using Godwit.Linux.Processes;

namespace Godwit.Containers;

/// <summary>
/// A container at one moment. What a state has, it holds; nothing is null "until".
/// <code>
///              start                       ended, policy says no
///   Created ──────────▶ Running ───────────────────────────────────▶ Exited ──▶ (removed)
///      ▲ start fails ┘   │   ▲ unpause        ended, policy says yes    │ start
///      └ stays Created   ▼   │          ┌──────────────────────────────▶│
///                       Paused          ▼            back-off           │
///                                   Restarting ─────────────────────▶ Running
///   any, when its parts could not be removed ──▶ Dead (remove it again)
/// </code>
/// Who owns what: the kernel owns the processes, the monitor (one small conmon per container, see <c>Monitor</c>) owns their pipes and
/// their exit code, the engine owns this state. The engine may die at any moment: at its start it reads the state back,
/// looks what the monitor has left, and goes on. So a state on disk is what the engine last believed, never more.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "state")]
[JsonDerivedType(typeof(Created), "created")]
[JsonDerivedType(typeof(Running), "running")]
[JsonDerivedType(typeof(Paused), "paused")]
[JsonDerivedType(typeof(Restarting), "restarting")]
[JsonDerivedType(typeof(Exited), "exited")]
[JsonDerivedType(typeof(Dead), "dead")]
public abstract record ContainerState
{
    private ContainerState()
    {
    }

    /// <summary>In Docker's words.</summary>
    public abstract string Word { get; }

    /// <summary>Whether it has processes.</summary>
    public virtual bool IsAlive => false;

    /// <summary>Made, never started, or its start failed.</summary>
    /// <param name="Failure">Why the last start failed; null when there was none.</param>
    public sealed record Created(StartFailure? Failure = null) : ContainerState
    {
        public override string Word => "created";
    }

    /// <summary>It has processes.</summary>
    public abstract record Alive(Incarnation Now) : ContainerState
    {
        public sealed override bool IsAlive => true;
    }

    public sealed record Running(Incarnation Now) : Alive(Now)
    {
        public override string Word => "running";
    }

    /// <summary>Its processes are frozen.</summary>
    public sealed record Paused(Incarnation Now) : Alive(Now)
    {
        public override string Word => "paused";
    }

    /// <summary>Ended, and to be started anew at the time given.</summary>
    public sealed record Restarting(ContainerExit Exit, DateTimeOffset NextStartAt) : ContainerState
    {
        public override string Word => "restarting";
    }

    public sealed record Exited(ContainerExit Exit) : ContainerState
    {
        public override string Word => "exited";
    }

    /// <summary>Half removed.</summary>
    public sealed record Dead(string Reason) : ContainerState
    {
        public override string Word => "dead";
    }
}

/// <summary>One run of a container.</summary>
/// <param name="Process">Its first process, as the host sees it.</param>
/// <param name="Monitor">The process that holds its pipes and outlives the engine.</param>
/// <param name="StartedAt">When the first process ran.</param>
public sealed record Incarnation(
    [property: JsonConverter(typeof(ProcessIdentityJsonConverter))] ProcessIdentity Process,
    [property: JsonConverter(typeof(ProcessIdentityJsonConverter))] ProcessIdentity Monitor,
    DateTimeOffset StartedAt)
{
    [JsonIgnore]
    public int ProcessId => Process.ProcessId;
}

/// <summary>How a run ended.</summary>
/// <param name="Code">The exit code; 128 plus the signal's number if a signal ended it.</param>
/// <param name="OutOfMemory">The kernel ended a process of it for its memory bound.</param>
/// <param name="Error">What the engine has to say, empty when the container ended by itself.</param>
public sealed record ContainerExit(int Code, bool OutOfMemory, DateTimeOffset StartedAt, DateTimeOffset FinishedAt, string Error = "");

/// <summary>A start that failed before the container's program ran.</summary>
/// <param name="Code">125: the engine failed; 126: the program cannot be executed; 127: there is no such program.</param>
public sealed record StartFailure(int Code, string Words, DateTimeOffset At);

/// <summary>What a container's health check says.</summary>
public sealed record ContainerHealth(HealthStatus Status, int FailingStreak, IReadOnlyList<HealthProbe> Probes);

public enum HealthStatus
{
    Starting,
    Healthy,
    Unhealthy,
}

/// <param name="Output">What it printed, cut to its first 4 KiB.</param>
public sealed record HealthProbe(DateTimeOffset StartedAt, DateTimeOffset EndedAt, int ExitCode, string Output);

internal sealed class ProcessIdentityJsonConverter : JsonConverter<ProcessIdentity>
{
    public override ProcessIdentity Read(ref System.Text.Json.Utf8JsonReader reader, Type typeToConvert, System.Text.Json.JsonSerializerOptions options) =>
        ProcessIdentity.TryParse(reader.GetString(), out var identity) ? identity : throw new System.Text.Json.JsonException("no process identity");

    public override void Write(System.Text.Json.Utf8JsonWriter writer, ProcessIdentity value, System.Text.Json.JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());
}
