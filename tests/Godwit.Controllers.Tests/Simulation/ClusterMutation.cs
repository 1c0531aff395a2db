namespace Godwit.Controllers.Tests.Simulation;

/// <summary>What can be broken on purpose, to see that the simulation would notice. Each is of the simulation's own wiring, between the processes and the server, or of its agents and people: the product has no switch for it.</summary>
internal enum ClusterMutation
{
    None,

    /// <summary>The server lets a pod that has a node be bound to another.</summary>
    BindsTwice,

    /// <summary>Who binds does not remember that the server said yes: for them it is as though the server had said that somebody else was there first.</summary>
    ForgetsBindings,

    /// <summary>No Lease is read before a node is called silent: the answer is that there is none, by which nobody learns anything.</summary>
    AsksForNoLease,

    /// <summary>The server lets a pod go at once that is deleted, though its node runs it.</summary>
    WaitsForNoAgent,

    /// <summary>The server lets every pod be evicted, whatever its budget says.</summary>
    EvictsFreely,

    /// <summary>The agents write down too late, or never, that they have booted a guest.</summary>
    ForgetsBoots,

    /// <summary>A target lets its guest run when it is ready, not when it is told that the guest stands still at the source.</summary>
    RunsBeforeItStopped,

    /// <summary>Who removes a silent node from the cluster has not switched its host off.</summary>
    RemovesWhatRuns,

    /// <summary>No agent lets go of a guest's object.</summary>
    HoldsGuests,

    /// <summary>What the migration controller says of a move that it has found a target for is not stored.</summary>
    ForgetsTargets,

    /// <summary>What is said on a guest of its moves is not stored, by whomever: nobody knows of a guest that was moved where it is, until its new node says so.</summary>
    ForgetsMoves,

    /// <summary>The server takes a job of a cron job under another name when its own is taken.</summary>
    TakesStartsTwice,

    /// <summary>With each start of a cron job come those of the minutes before it.</summary>
    StartsAllMissed,

    /// <summary>More pods are stored than an autoscaler asks for.</summary>
    ScalesFurther,

    /// <summary>What the pods of an autoscaler use is answered by chance.</summary>
    MeasuresByChance,
}
