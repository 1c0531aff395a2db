namespace Godwit.Base;

/// <summary>
/// Waits that grow by a factor up to a limit, spread by chance so that many clients of one failed server do not come
/// back at the same instant. A value: it keeps no count and no clock.
/// </summary>
/// <param name="Initial">The wait before the first retry.</param>
/// <param name="Limit">No wait is longer, jitter included.</param>
/// <param name="Factor">Each wait is this many times the one before.</param>
/// <param name="Jitter">The share of a wait that chance takes away: 0.2 means between 80 % and 100 %.</param>
public readonly record struct Backoff(TimeSpan Initial, TimeSpan Limit, double Factor = 2, double Jitter = 0.2)
{
    /// <summary>The wait before retry number <paramref name="attempt"/> (0 is the first); <paramref name="chance"/> is uniform in [0, 1).</summary>
    public TimeSpan DelayFor(int attempt, double chance)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(attempt);
        var full = Math.Min(Initial.TotalMilliseconds * Math.Pow(Factor, Math.Min(attempt, 64)), Limit.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(full * (1 - (Jitter * chance)));
    }
}
