using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of <c>kubevirt.io/v1</c>; a guest's own parts are in <see cref="DomainSchemas"/>.</summary>
internal static class KubeVirtSchemas
{
    private const string Prefix = "io.kubevirt.v1.";

    private static readonly SchemaField Conditions =
        Field("conditions", ListByKey(MetaSchemas.Condition, "type"), "Observed facts.").Merged("type");

    private static readonly ObjectSchema StateChangeRequest = new(
        Prefix + "VirtualMachineStateChangeRequest",
        "Something that was asked for and is not done yet.",
        Field("action", OneOf("Start", "Stop"), "What.").Required(),
        Field("uid", Text, "The incarnation to stop."),
        Field("data", TextMap, "Details of the request."));

    private static readonly ObjectSchema StartFailure = new(
        Prefix + "VirtualMachineStartFailure",
        "Incarnations failed in a row.",
        Field("consecutiveFailCount", Integer32, "How many."),
        Field("lastFailedVMIUID", Text, "The last of them."),
        Field("retryAfterTimestamp", Time, "When the next is tried."));

    private static readonly ObjectSchema Template = new(
        Prefix + "VirtualMachineInstanceTemplateSpec",
        "What each incarnation is made from.",
        Field("metadata", MetaSchemas.ObjectMeta, "Labels and annotations for the incarnation."),
        Field("spec", DomainSchemas.VirtualMachineInstanceSpec, "The guest.").Required());

    public static ObjectSchema VirtualMachine { get; } = Kind(
        Prefix + "VirtualMachine",
        "A guest that is to exist, stopped or running.",
        Field("spec", new ObjectSchema(
            Prefix + "VirtualMachineSpec",
            "What is wanted.",
            Field("running", Flag, "Older form of runStrategy: true is Always, false is Halted."),
            Field("runStrategy", OneOf("Always", "RerunOnFailure", "Manual", "Halted"), "When an incarnation is to exist."),
            Field("template", Template, "What each incarnation is made from.").Required()), "What is wanted.").Required(),
        Field("status", new ObjectSchema(
            Prefix + "VirtualMachineStatus",
            "What there is.",
            Field("created", Flag, "True when an incarnation exists."),
            Field("ready", Flag, "True when it runs and is ready."),
            Field("printableStatus", Text, "The state in one word."),
            Field("runStrategy", Text, "The strategy in force."),
            Conditions,
            Field("stateChangeRequests", ListOf(StateChangeRequest), "What was asked for and is not done yet."),
            Field("startFailure", StartFailure, "Present while incarnations keep failing."),
            Field("observedGeneration", Integer64, "The generation that this status answers."),
            Field("desiredGeneration", Integer64, "The generation that is wanted.")), "What there is. Written by Godwit."));

    private static readonly ObjectSchema PhaseTransition = new(
        Prefix + "PhaseTransitionTimestamp",
        "When a phase was entered.",
        Field("phase", Text, "The phase."),
        Field("phaseTransitionTimestamp", Time, "When."));

    private static readonly ObjectSchema InterfaceStatus = new(
        Prefix + "VirtualMachineInstanceNetworkInterface",
        "A network card as it is.",
        Field("name", Text, "The interface's name."),
        Field("mac", Text, "Its MAC address."),
        Field("ipAddress", Text, "Its first address."),
        Field("ipAddresses", ListOf(Text), "All its addresses."));

    private static readonly ObjectSchema MigrationState = new(
        Prefix + "VirtualMachineInstanceMigrationState",
        "A move.",
        Field("sourceNode", Text, "Where the guest comes from."),
        Field("targetNode", Text, "Where it goes."),
        Field("targetNodeAddress", Text, "Where the target's agent listens."),
        Field("startTimestamp", Time, "When it began."),
        Field("endTimestamp", Time, "When it ended."),
        Field("completed", Flag, "True when it has ended."),
        Field("failed", Flag, "True when it has ended and the guest is where it was."),
        Field("failureReason", Text, "Why it failed, in words."),
        Field("abortRequested", Flag, "True when it was cancelled."),
        Field("abortStatus", Text, "Aborting, Succeeded or Failed."),
        Field("migrationUid", Text, "The UID of the migration object."),
        Field("mode", Text, "PreCopy, PostCopy or Paused."),
        Field("migrationPolicyName", Text, "The policy in force."));

    public static ObjectSchema VirtualMachineInstance { get; } = Kind(
        Prefix + "VirtualMachineInstance",
        "One incarnation of a running guest: from one boot to its end.",
        Field("spec", DomainSchemas.VirtualMachineInstanceSpec, "What the guest is made of. Cannot be changed.").Required(),
        Field("status", new ObjectSchema(
            Prefix + "VirtualMachineInstanceStatus",
            "What the guest is.",
            Field("nodeName", Text, "The node that owns the guest."),
            Field("phase", Text, "Pending, Scheduling, Scheduled, Running, Succeeded, Failed or Unknown."),
            Field("reason", Text, "Why it is in that phase, as one word."),
            Field("phaseTransitionTimestamps", ListOf(PhaseTransition), "When each phase was entered."),
            Conditions,
            Field("interfaces", ListOf(InterfaceStatus), "Network cards with their addresses."),
            Field("migrationState", MigrationState, "The running move, or the last one."),
            Field("migrationMethod", Text, "LiveMigration or BlockMigration."),
            Field("evacuationNodeName", Text, "The node that the guest was evicted from and is to leave."),
            Field("migrationTransport", Text, "How a move's bytes travel."),
            Field("machine", DomainSchemas.MachineStatus, "The chipset as it really is."),
            Field("memory", new ObjectSchema(
                Prefix + "MemoryStatus",
                "The guest's memory as it is.",
                Field("guestAtBoot", Quantity, "At boot."),
                Field("guestCurrent", Quantity, "Now."),
                Field("guestRequested", Quantity, "As asked for.")), "The guest's memory as it is."),
            Field("currentCPUTopology", new ObjectSchema(
                Prefix + "CPUTopology",
                "The guest's CPUs as they are.",
                Field("cores", Integer32, "Cores in each socket."),
                Field("sockets", Integer32, "Sockets."),
                Field("threads", Integer32, "Threads in each core.")), "The guest's CPUs as they are."),
            Field("usage", new ObjectSchema(
                Prefix + "ResourceUsage",
                "What the guest uses of its node.",
                Field("cpuMillicores", Integer64, "CPU in thousandths of a core."),
                Field("memoryBytes", Integer64, "Resident memory."),
                Field("updatedTimestamp", Time, "When it was measured.")), "What the guest uses of its node. Godwit's own field.")), "What the guest is. Written by Godwit."));

    private static readonly ObjectSchema Progress = new(
        Prefix + "MigrationProgress",
        "How far a move is.",
        Field("phase", Text, "Preflight, Preparing, CopyingDisks, Precopying, SwitchingOver, Activating, Postcopying, Paused, Completed or Aborted."),
        Field("round", Integer32, "Passes over memory, from 1."),
        Field("transferredBytes", Integer64, "Sent so far."),
        Field("remainingBytes", Integer64, "Still to be sent, as known now."),
        Field("totalBytes", Integer64, "The guest's memory."),
        Field("diskCopiedBytes", Integer64, "Of the disks that go along, copied so far."),
        Field("diskTotalBytes", Integer64, "Of the disks that go along, to be copied as known now."),
        Field("throughputBytesPerSecond", Integer64, "How fast it is sent."),
        Field("dirtyBytesPerSecond", Integer64, "How fast the guest writes."),
        Field("throttlePercent", Integer32, "How much of its time the guest is slowed down."),
        Field("percent", Integer32, "From 0 to 100."),
        Field("endEarliestTimestamp", Time, "The earliest end that is likely, as far as can be told now."),
        Field("endLatestTimestamp", Time, "The latest end that is likely, as far as can be told now."),
        Field("successChancePercent", Integer32, "The share of what is likely in which the move ends well within its policy's bounds, from 1 to 99."),
        Field("updatedTimestamp", Time, "When this was written."));

    private static readonly ObjectSchema Measurement = new(
        Prefix + "MigrationMeasurement",
        "What a move took.",
        Field("totalMs", Integer64, "From its start to the guest whole on the target."),
        Field("streamMs", Integer64, "From the stream's begin to its end, as the source's QEMU counts."),
        Field("downtimeMs", Integer64, "How long the guest stood still, as the source's QEMU counts."),
        Field("pausedMs", Integer64, "How long the guest stood still, from source to target, as the agents saw it."),
        Field("pausedTimestamp", MicroTime, "When the source saw the guest stand still."),
        Field("runningTimestamp", MicroTime, "When the source learned that the guest runs on the target."),
        Field("networkDowntimeMs", Integer64, "The longest silence on the network, as a third host saw it."),
        Field("bytes", Integer64, "All that went over the wire."),
        Field("bytesByKind", new ObjectSchema(
            Prefix + "MigrationBytesByKind",
            "The bytes, by what they carried.",
            Field("normal", Integer64, "Pages with content."),
            Field("zero", Integer64, "Announcements of empty pages."),
            Field("device", Integer64, "State of CPUs and devices."),
            Field("disk", Integer64, "Disks that went along.")), "The bytes, by what they carried."),
        Field("disksMs", Integer64, "From the begin of the copy of disks to both sides being in step."),
        Field("rounds", Integer32, "Passes over memory."),
        Field("transport", Text, "How the bytes went: tls (through both agents) or direct (from QEMU to QEMU)."),
        Field("termination", Text, "The rule that ended pre-copy."),
        Field("throughputBytesPerSecond", Integer64, "Bytes over time."),
        Field("reachable", Flag, "True when the guest answered from its new place."));

    public static ObjectSchema VirtualMachineInstanceMigration { get; } = Kind(
        Prefix + "VirtualMachineInstanceMigration",
        "One move of one guest. Deleting it while it runs cancels it.",
        Field("spec", new ObjectSchema(
            Prefix + "VirtualMachineInstanceMigrationSpec",
            "What is to move, and where. Cannot be changed.",
            Field("vmiName", Text, "The machine to move.").Required(),
            Field("addedNodeSelector", TextMap, "Labels that the target must have; kubernetes.io/hostname names it."),
            Field("priority", OneOf("system-critical", "user-triggered", "system-maintenance"), "Which of the moves that wait comes first.")), "What is to move, and where.").Required(),
        Field("status", new ObjectSchema(
            Prefix + "VirtualMachineInstanceMigrationStatus",
            "How the move goes.",
            Field("phase", Text, "Pending, Scheduling, Scheduled, PreparingTarget, TargetReady, Running, Succeeded or Failed."),
            Conditions,
            Field("phaseTransitionTimestamps", ListOf(PhaseTransition), "When each phase was entered."),
            Field("migrationState", MigrationState, "From where to where, and how it ended."),
            Field("progress", Progress, "How far it is. Godwit's own field."),
            Field("forecast", ForecastSchemas.ModeForecast, "What was expected of it. Godwit's own field."),
            Field("measurement", Measurement, "What it took. Godwit's own field."),
            Field("service", new ObjectSchema(
                Prefix + "ServiceMemberStatus",
                "What the source of a guest of a service has to say.",
                Field("standing", Text, "Coming, Gathered, Ready or Returns."),
                Field("reason", Text, "Why it returns.")), "Of a guest that is one of a service. Godwit's own field.")), "How the move goes. Written by Godwit."));
}
