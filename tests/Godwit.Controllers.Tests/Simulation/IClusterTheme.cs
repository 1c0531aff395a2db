using Godwit.Store;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>What a run is about, beside faults: what is asked of the cluster, how that changes, and what must be so when all faults are over.</summary>
internal interface IClusterTheme
{
    /// <summary>After the last faults all is as was asked so much later than it else must be: what waits by its own rules.</summary>
    TimeSpan WaitsLonger { get; }

    /// <summary>Everything is asked for the first time. The nodes are there.</summary>
    void Ask();

    /// <summary>Something else is asked for.</summary>
    void Change();

    /// <summary>What is hardest on what the theme is about.</summary>
    void Press();

    /// <summary>A second has passed.</summary>
    void Tend();

    /// <summary>All faults are over: what the theme has done to the cluster is over with them.</summary>
    void Heal();

    /// <summary>The first thing that is not as was asked, or not said to be, under the invariant that is broken if it stays so; null when all is.</summary>
    (string Invariant, string What)? Missing();

    /// <summary>What is tried when nothing else happens any more and all is as was asked.</summary>
    void Conclude();
}

/// <summary>Looks at everything that is written, for what must never be.</summary>
internal interface IClusterWitness
{
    void See(StoreEvent change);
}

/// <summary>What a run may be about; each has seeds of its own.</summary>
internal enum ClusterSubject
{
    /// <summary>What keeps pods, and drains when all is calm.</summary>
    Workloads,

    /// <summary>Virtual machines and their moves.</summary>
    Guests,

    /// <summary>Drains under a disruption budget while all else happens.</summary>
    Evictions,

    /// <summary>Cron jobs and an autoscaler while the clock jumps.</summary>
    Clocks,
}
