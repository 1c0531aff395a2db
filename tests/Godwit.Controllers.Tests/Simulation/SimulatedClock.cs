using Microsoft.Extensions.Time.Testing;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// The time of the server and of the processes. What they read of the day may be set forwards and back (<see cref="Set"/>), as by a person or by NTP; time that passes, and with it every timer, goes on as it
/// did.
/// </summary>
internal sealed class SimulatedClock(DateTimeOffset start) : FakeTimeProvider(start)
{
    /// <summary>By how much the clock is ahead of the true time.</summary>
    public TimeSpan Ahead { get; private set; }

    /// <summary>The true time, which the nodes have.</summary>
    public DateTimeOffset TrueNow => base.GetUtcNow();

    public void Set(TimeSpan ahead) => Ahead = ahead;

    public override long GetTimestamp() => TrueNow.Ticks; // Its frequency is that of ticks.

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;
}
