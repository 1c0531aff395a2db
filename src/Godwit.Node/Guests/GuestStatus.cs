using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>The status that a guest's object should have, from what is so on this host. What others wrote there is kept.</summary>
internal static class GuestStatus
{
    public const string StartPaused = "Paused";

    /// <summary>The status of a guest that lives here.</summary>
    public static VirtualMachineInstanceStatus Alive(GuestView view, VirtualMachineInstance instance)
    {
        var machine = view.Machine!;
        var isPaused = machine.RunState is MachineRunState.Paused or MachineRunState.Created;
        var status = instance.Status with
        {
            NodeName = view.Node.Value,
            Reason = null,
            Machine = new Machine { Type = machine.MachineType },
            Memory = MemoryOf(instance),
            CurrentCpuTopology = TopologyOf(instance),
            Usage = view.Usage ?? instance.Status.Usage,
            MigrationMethod = "LiveMigration",
        };
        status = InPhase(status, VirtualMachineInstancePhases.Running, view.Now);
        status = With(status, VirtualMachineInstanceConditions.Ready, !isPaused, isPaused ? "GuestPaused" : "GuestRunning", isPaused ? machine.Reason : "", view.Now);
        status = With(status, VirtualMachineInstanceConditions.Synchronized, true, "Synchronized", "", view.Now);
        status = Migratable(status, view.Now);
        status = view.SuspensionTrouble is { } trouble && IsToBeSuspended(instance)
            ? With(status, VirtualMachineInstanceConditions.Suspended, false, "CannotSuspend", trouble, view.Now)
            : Without(status, VirtualMachineInstanceConditions.Suspended);
        return isPaused
            ? With(status, VirtualMachineInstanceConditions.Paused, true, "Paused", machine.Reason, view.Now)
            : Without(status, VirtualMachineInstanceConditions.Paused);
    }

    /// <summary>The status of a guest that lies in a file here. It keeps its node, its address and its memory's place among what the node offers.</summary>
    public static VirtualMachineInstanceStatus Suspended(GuestView view, VirtualMachineInstance instance, long stateBytes)
    {
        var words = $"it lies in a file of {stateBytes >> 20} MiB on {view.Node}" + (view.SuspensionTrouble is { } trouble ? $"; it could not be resumed: {trouble}" : "");
        var status = InPhase(instance.Status, VirtualMachineInstancePhases.Running, view.Now) with { NodeName = view.Node.Value, Reason = null, Usage = null };
        status = Without(status, VirtualMachineInstanceConditions.Paused);
        status = With(status, VirtualMachineInstanceConditions.Ready, false, "GuestSuspended", words, view.Now);
        return With(status, VirtualMachineInstanceConditions.Suspended, true, view.SuspensionTrouble is null ? "Suspended" : "CannotResume", words, view.Now);
    }

    public static bool IsToBeSuspended(VirtualMachineInstance instance) =>
        instance.Metadata.Annotations.GetValueOrDefault(AnnotationNames.Suspend) is Suspensions.Always or Suspensions.UntilMoved;

    /// <summary>The status of a guest that is over.</summary>
    public static VirtualMachineInstanceStatus Over(GuestView view, VirtualMachineInstance instance, GuestOutcome outcome)
    {
        var phase = outcome.Succeeded ? VirtualMachineInstancePhases.Succeeded : VirtualMachineInstancePhases.Failed;
        var status = InPhase(instance.Status, phase, view.Now) with { NodeName = view.Node.Value, Reason = outcome.Reason, Usage = null };
        status = Without(Without(status, VirtualMachineInstanceConditions.Paused), VirtualMachineInstanceConditions.Suspended);
        return With(status, VirtualMachineInstanceConditions.Ready, false, outcome.Reason, outcome.Message, view.Now);
    }

    /// <summary>The status of a guest that cannot be started now, and why; its phase stays.</summary>
    public static VirtualMachineInstanceStatus NotSynchronized(VirtualMachineInstance instance, string reason, string message, DateTimeOffset now) =>
        With(instance.Status, VirtualMachineInstanceConditions.Synchronized, false, reason, message, now);

    public static bool SaysTheSame(VirtualMachineInstanceStatus left, VirtualMachineInstanceStatus right) =>
        ReferenceEquals(left, right) || JsonNode.DeepEquals(ToNode(left), ToNode(right));

    /// <summary>How many CPUs the guest sees.</summary>
    public static CpuTopology TopologyOf(VirtualMachineInstance instance)
    {
        var cpu = instance.Spec.Domain.Cpu;
        return new CpuTopology { Cores = cpu?.Cores ?? 1, Sockets = cpu?.Sockets ?? 1, Threads = cpu?.Threads ?? 1 };
    }

    private static JsonObject ToNode(VirtualMachineInstanceStatus status) =>
        GodwitJson.ToObject(new VirtualMachineInstance { Status = status });

    private static MemoryStatus MemoryOf(VirtualMachineInstance instance)
    {
        Quantity? memory = GuestMemory.Of(instance.Spec.Domain);
        return new MemoryStatus { GuestAtBoot = memory, GuestCurrent = memory, GuestRequested = memory };
    }

    private static VirtualMachineInstanceStatus InPhase(VirtualMachineInstanceStatus status, string phase, DateTimeOffset now) =>
        status.Phase == phase
            ? status
            : status with
            {
                Phase = phase,
                PhaseTransitionTimestamps = [.. status.PhaseTransitionTimestamps.Where(entry => entry.Phase != phase), new PhaseTransition { Phase = phase, Timestamp = now }],
            };

    /// <summary>Disks that are on this host alone go along; whether the target has room for them, and whether a host's file is shared, preflight finds out.</summary>
    private static VirtualMachineInstanceStatus Migratable(VirtualMachineInstanceStatus status, DateTimeOffset now) =>
        With(status, VirtualMachineInstanceConditions.LiveMigratable, true, "Migratable", "", now);

    private static VirtualMachineInstanceStatus With(
        VirtualMachineInstanceStatus status, string type, bool value, string reason, string message, DateTimeOffset now)
    {
        var word = value ? ConditionStatuses.True : ConditionStatuses.False;
        var known = status.Conditions.FirstOrDefault(condition => condition.Type == type);
        var condition = new Condition
        {
            Type = type,
            Status = word,
            Reason = reason,
            Message = message.Length == 0 ? null : message,
            LastTransitionTime = known is not null && known.Status == word ? known.LastTransitionTime : now,
        };
        return known == condition
            ? status
            : status with { Conditions = [.. status.Conditions.Where(other => other.Type != type), condition] };
    }

    private static VirtualMachineInstanceStatus Without(VirtualMachineInstanceStatus status, string type) =>
        status.Conditions.Any(condition => condition.Type == type)
            ? status with { Conditions = [.. status.Conditions.Where(condition => condition.Type != type)] }
            : status;
}

/// <summary>The memory that a guest sees.</summary>
internal static class GuestMemory
{
    /// <summary>From memory.guest, else from resources.requests.memory; null when neither is given.</summary>
    public static Quantity? Of(DomainSpec domain) =>
        domain.Memory?.Guest ?? (domain.Resources?.Requests.TryGetValue("memory", out var requested) == true ? requested : null);

    /// <summary>In bytes; zero when neither is given, which no guest that runs does.</summary>
    public static long BytesOf(VirtualMachineInstance instance) => Of(instance.Spec.Domain)?.ToInt64() ?? 0;
}
