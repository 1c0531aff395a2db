using Godwit.Base;

namespace Godwit.Containers;

/// <summary>Whether and when a container that has ended is started anew: a function of values.</summary>
internal static class RestartDecision
{
    /// <summary>A run longer than this counts as success: the waits begin from the start again.</summary>
    private static readonly TimeSpan GoodRun = TimeSpan.FromSeconds(10);

    private static readonly Backoff Waits = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1), Jitter: 0);

    /// <summary>How long to wait before the next start; null: it stays ended.</summary>
    /// <param name="record">The container, its state still that before the end.</param>
    /// <param name="exit">How it ended.</param>
    /// <param name="streak">Starts in a row that the policy made before this one.</param>
    internal static TimeSpan? Decide(ContainerRecord record, ContainerExit exit, int streak)
    {
        var policy = record.Spec.Restart;
        var wanted = policy.Mode switch
        {
            _ when record.StoppedByHand => false,
            RestartMode.Always or RestartMode.UnlessStopped => true,
            RestartMode.OnFailure => exit.Code != 0 && (policy.RetriesMax == 0 || streak < policy.RetriesMax),
            _ => false,
        };
        return wanted ? Waits.DelayFor(WasGood(exit) ? 0 : streak, 0) : null;
    }

    internal static bool WasGood(ContainerExit exit) => exit.FinishedAt - exit.StartedAt >= GoodRun;

    /// <summary>Whether a container that is at rest is started when the engine starts.</summary>
    internal static bool StartsWithEngine(ContainerRecord record) => record.State is ContainerState.Exited && record.Spec.Restart.Mode is RestartMode.Always;
}
