using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>The shape of <c>godwit.dev/v1alpha1</c> GroupMigration.</summary>
internal static class GroupSchemas
{
    private const string Prefix = "dev.godwit.v1alpha1.";

    private static readonly ObjectSchema Member = new(
        Prefix + "GroupMember",
        "One guest of the group.",
        Field("namespace", Text, "Its namespace."),
        Field("name", Text, "Its name."),
        Field("uid", Text, "The incarnation that is meant."),
        Field("phase", Text, "Waiting, Moving, Moved, Refused, Failed or Gone."),
        Field("sourceNode", Text, "Where it was when the plan was made."),
        Field("targetNode", Text, "Where it goes."),
        Field("mode", Text, "How it moves."),
        Field("reason", Text, "Why it cannot move, why the last try failed, or why it goes elsewhere than planned."),
        Field("attempts", Integer32, "Tries that were begun."),
        Field("migration", Text, "The migration object of the last try."),
        Field("notBeforeTimestamp", Time, "After a failed try: not again before this."),
        Field("forecast", ForecastSchemas.ModeForecast, "Of its move alone, with the whole link."),
        Field("totalMs", Integer64, "What its move took."),
        Field("downtimeMs", Integer64, "How long it stood still."));

    private static readonly ObjectSchema Strategy = new(
        Prefix + "StrategyForecast",
        "What one strategy would take.",
        Field("strategy", Text, "serial, parallel or mixed."),
        Field("parallel", Integer32, "How many would move at a time."),
        Field("totalMs", ForecastSchemas.ForecastRange, "From the first start to the last end."),
        Field("downtimeMs", ForecastSchemas.ForecastRange, "How long the guest stands still that does so longest; of a service, from the first stop to the last start."),
        Field("textbookTotalMs", Number, "By the textbook's formula for equal guests; absent when it diverges."),
        Field("textbookDowntimeMs", Number, "By the textbook's formula for equal guests; absent when it diverges."),
        Field("refusal", Text, "Why it is not to be used, with the numbers."));

    private static readonly ObjectSchema Spec = new(
        Prefix + "GroupMigrationSpec",
        "Which guests, where to, and how. Cannot be changed.",
        Field("members", ListOf(new ObjectSchema(
            Prefix + "GroupMemberReference",
            "A guest by name.",
            Field("namespace", Text, "Its namespace.").Required(),
            Field("name", Text, "Its name.").Required())), "Guests by name, beside those that the selector picks."),
        Field("selector", new ObjectSchema(
            Prefix + "GroupSelector",
            "All that are given must hold.",
            Field("nodeName", Text, "Guests that run on this node."),
            Field("homeNode", Text, "Guests whose home is this node and that are elsewhere, because it was emptied."),
            Field("namespace", Text, "Guests of this namespace."),
            Field("matchLabels", TextMap, "Guests with these labels.")), "Picks running guests when the plan is made."),
        Field("targetNode", Text, "Where all go; the scheduler chooses for each when absent."),
        Field("strategy", OneOf("auto", "serial", "parallel", "mixed"), "In which order, and how many at a time."),
        Field("promise", OneOf("independent", "one-service"), "Whether each guest arrives by itself, or all of them or none."),
        Field("parallelMax", Integer32, "How many move at a time, where the strategy has several do so."),
        Field("mode", OneOf("auto", "cold", "precopy", "postcopy", "hybrid"), "How each guest moves."),
        Field("planOnly", Flag, "True: the plan is made and nothing is moved."),
        Field("keepHome", Flag, "True: a node is emptied; each guest that moves keeps a note of where its home is."),
        Field("attemptsMax", Integer32, "How often the move of one guest is tried, or of all guests that are one service."));

    public static ObjectSchema GroupMigration { get; } = Kind(
        Prefix + "GroupMigration",
        "Several guests that move by one plan. Deleting it while it runs cancels it.",
        Field("spec", Spec, "Which guests, where to, and how. Cannot be changed.").Required(),
        Field("status", new ObjectSchema(
            Prefix + "GroupMigrationStatus",
            "The plan and how far it is.",
            Field("phase", Text, "Planning, Planned, Running, Succeeded or Failed."),
            Field("strategy", Text, "The strategy that was chosen."),
            Field("reason", Text, "Why that strategy, or why it failed."),
            Field("members", ListOf(Member), "In the order in which they move."),
            Field("forecasts", ListOf(Strategy), "Each strategy, by both models."),
            Field("endEarliestTimestamp", Time, "It is expected to end no earlier."),
            Field("endLatestTimestamp", Time, "It is expected to end no later."),
            Field("startTimestamp", MicroTime, "When its moves began."),
            Field("endTimestamp", Time, "When it ended."),
            Field("service", new ObjectSchema(
                Prefix + "GroupService",
                "What is decided for all guests of a service.",
                Field("attempt", Integer32, "Which attempt this decides for, from 1; absent in the first."),
                Field("attemptTimestamp", MicroTime, "When this attempt began; absent in the first, which begins with the group."),
                Field("switchoverTimestamp", MicroTime, "When all were in their last rounds and were told to stop."),
                Field("decision", Text, "RunAll or ReturnAll; absent while nothing is decided."),
                Field("reason", Text, "Why."),
                Field("decisionTimestamp", MicroTime, "When.")), "Of guests that are one service: what is decided for all of them."),
            Field("measurement", new ObjectSchema(
                Prefix + "GroupMeasurement",
                "What it took.",
                Field("totalMs", Integer64, "From the first start to the last end."),
                Field("downtimeMs", Integer64, "How long the guest stood still that did so longest; of a service, from the first stop to the last start."),
                Field("bytes", Integer64, "All that went over the wire."),
                Field("moved", Integer32, "Guests that moved."),
                Field("retries", Integer32, "Tries that failed.")), "What it took.")), "The plan and how far it is. Written by Godwit."));
}
