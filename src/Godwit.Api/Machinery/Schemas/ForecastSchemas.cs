using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of <c>godwit.dev/v1alpha1</c> and <c>migrations.kubevirt.io/v1alpha1</c>.</summary>
internal static class ForecastSchemas
{
    private const string Prefix = "dev.godwit.v1alpha1.";
    private const string PolicyPrefix = "io.kubevirt.migrations.v1alpha1.";

    public static ObjectSchema ForecastRange { get; } = new(
        Prefix + "ForecastRange",
        "From low to high, both included.",
        Field("low", Integer64, "The low end."),
        Field("likely", Integer64, "The likeliest value, which need not be in the middle."),
        Field("high", Integer64, "The high end."));

    public static ObjectSchema ModeForecast { get; } = new(
        Prefix + "ModeForecast",
        "What the working-set model expects.",
        Field("mode", Text, "The way to move."),
        Field("totalMs", ForecastRange, "From the start to the guest whole on the target."),
        Field("downtimeMs", ForecastRange, "How long the guest stands still."),
        Field("bytes", ForecastRange, "What goes over the wire."),
        Field("confidence", Number, "From 0 to 1: how often such a forecast held."),
        Field("converges", Flag, "Whether pre-copy gets ahead of the guest's writes."),
        Field("reason", Text, "Why, in words."));

    private static readonly ObjectSchema Inputs = new(
        Prefix + "ForecastInputs",
        "What the forecasts were made from.",
        Field("measuredTimestamp", Time, "When it was measured."),
        Field("memoryBytes", Integer64, "The guest's memory."),
        Field("nonZeroBytes", Integer64, "Memory that holds something."),
        Field("diskBytes", Integer64, "Of the disks that go along, what has to be copied."),
        Field("diskWrittenBytesPerSecond", Integer64, "How fast the guest writes to its disks."),
        Field("linkBytesPerSecond", Integer64, "What the link between the nodes gave."),
        Field("dirtyBytesPerSecond", Integer64, "How fast the guest writes to fresh memory."),
        Field("dirtyCurve", ListOf(new ObjectSchema(
            Prefix + "DirtyCurvePoint",
            "Unique memory dirtied within a window.",
            Field("windowMs", Integer64, "The window's length."),
            Field("uniqueBytes", Integer64, "What was dirtied."))), "Unique memory dirtied, over growing windows."),
        Field("fixedCosts", new ObjectSchema(
            Prefix + "FixedCosts",
            "What a move takes whatever the memory.",
            Field("preparingMs", Integer64, "Until the target is ready to receive."),
            Field("deviceStateMs", Integer64, "State of CPUs and devices, while the guest stands still."),
            Field("activatingMs", Integer64, "From the last byte to the guest running."),
            Field("announcingMs", Integer64, "From running to being found by the network.")), "What a move takes whatever the memory."));

    private static readonly ObjectSchema ModeComparison = new(
        Prefix + "ModeComparison",
        "One way to move, by both models.",
        Field("mode", Text, "The way to move."),
        Field("textbook", new ObjectSchema(
            Prefix + "TextbookForecast",
            "What the textbook formulas say.",
            Field("totalMs", Number, "Total; absent when the formula diverges."),
            Field("downtimeMs", Number, "Downtime; absent when the formula diverges."),
            Field("rounds", Integer32, "Passes over memory."),
            Field("converges", Flag, "False when memory is written faster than it is sent.")), "What the textbook formulas say."),
        Field("forecast", ModeForecast, "What the working-set model expects."),
        Field("reason", Text, "Whether and why it will converge, in words."));

    public static ObjectSchema Forecast { get; } = Kind(
        Prefix + "Forecast",
        "The question what a move would take. The guest's node measures and answers in the status.",
        Field("spec", new ObjectSchema(
            Prefix + "ForecastSpec",
            "The move in question. Cannot be changed.",
            Field("vmiName", Text, "The machine that would move.").Required(),
            Field("targetNode", Text, "Where to; chosen by the scheduler when not said."),
            Field("modes", ListOf(OneOf("cold", "precopy", "postcopy", "hybrid")), "The ways to compare; all when empty.")), "The move in question.").Required(),
        Field("status", new ObjectSchema(
            Prefix + "ForecastStatus",
            "The answer.",
            Field("phase", Text, "Pending, Scheduled, Measuring, Completed or Failed."),
            Field("sourceNode", Text, "Where the guest runs."),
            Field("targetNode", Text, "Where it would go."),
            Field("observed", Inputs, "What the forecasts were made from."),
            Field("modes", ListOf(ModeComparison), "Each way to move, by both models."),
            Field("recommendedMode", Text, "The way that serves the guest best."),
            Field("reason", Text, "Why that one, or why there is no answer."),
            Field("conditions", ListByKey(MetaSchemas.Condition, "type"), "Observed facts.").Merged("type")), "The answer. Written by Godwit."));

    private static readonly ObjectSchema Settings = new(
        PolicyPrefix + "MigrationSettings",
        "When pre-copy ends, and what then.",
        Field("downtimeLimitMs", Integer64, "The longest stop of the guest that is aimed at."),
        Field("roundsMax", Integer32, "Pre-copy ends after so many passes over memory."),
        Field("copiedMemoryFactorMax", Number, "Pre-copy ends when so many times the guest's memory was sent."),
        Field("thresholdBytes", Integer64, "Pre-copy ends when no more than this is left to send."),
        Field("transport", OneOf("tls", "direct"), "Through the agents' TLS connection, or from QEMU to QEMU, with keys made for the move."),
        Field("onNotConverging", OneOf("SwitchOver", "AutoConverge", "PostCopy", "GiveUp"), "What to do when another rule than the threshold ended pre-copy."));

    public static ObjectSchema MigrationPolicy { get; } = Kind(
        PolicyPrefix + "MigrationPolicy",
        "How the guests that it selects are moved. The most specific policy wins.",
        Field("spec", new ObjectSchema(
            PolicyPrefix + "MigrationPolicySpec",
            "Which guests, and how.",
            Field("selectors", new ObjectSchema(
                PolicyPrefix + "Selectors",
                "Both must match; one that is absent matches all.",
                Field("namespaceSelector", TextMap, "Labels of the namespace."),
                Field("virtualMachineInstanceSelector", TextMap, "Labels of the machine.")), "Which guests."),
            Field("allowAutoConverge", Flag, "True: a guest that writes faster than it can be sent may be slowed down."),
            Field("allowPostCopy", Flag, "True: such a guest may run on the target before all of its memory is there."),
            Field("bandwidthPerMigration", Quantity, "Bytes a second; 0 for all that the link gives."),
            Field("completionTimeoutPerGiB", Integer64, "Seconds for each GiB of memory."),
            Field("godwit", Settings, "Settings that KubeVirt has no word for.")), "Which guests, and how.").Required());
}
