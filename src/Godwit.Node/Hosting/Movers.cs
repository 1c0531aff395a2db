using Godwit.Machines;
using Godwit.Node.Guests;

namespace Godwit.Node.Hosting;

/// <summary>Chooses what moves guests.</summary>
internal static class Movers
{
    public static IGuestMover Create(AgentServices services) => new StandingStill(services);

    /// <summary>No guest is moved: none ever was, so each belongs to the node that started it.</summary>
    private sealed class StandingStill(AgentServices services) : IGuestMover
    {
        public HandoverClaim ClaimOn(MachineId id) => HandoverClaim.None;

        public void RequestEnd(MachineId id, string reason) => throw new NotSupportedException($"Machine {id} is not being moved: this agent moves no guests.");

        public void Subscribe(Action<MachineId> claimChanged)
        {
            // No claim ever changes.
        }

        public Task RunAsync(CancellationToken stopping) => Task.Delay(Timeout.InfiniteTimeSpan, services.Time, stopping).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }
}
