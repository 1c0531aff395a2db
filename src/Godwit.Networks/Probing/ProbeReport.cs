namespace Godwit.Networks.Probing;

/// <summary>How a guest is asked for a sign of life.</summary>
public enum ProbeMethod
{
    /// <summary>ICMP echo: the guest's IP answers.</summary>
    Icmp,

    /// <summary>ARP: the guest's network driver answers; for guests that drop ICMP.</summary>
    Arp,
}

/// <summary>A time without an answer from the guest, between two answers (or up to now).</summary>
/// <param name="StartedAt">When the last answer before it came.</param>
/// <param name="DurationMs">From that answer to the next one, in milliseconds.</param>
/// <param name="ProbesLost">Probes sent in it that were never answered.</param>
/// <param name="ProberStallMs">Of it, at most this much may be the prober's own: the latest that a probe left in it, in milliseconds.</param>
public sealed record Silence(DateTimeOffset StartedAt, double DurationMs, int ProbesLost, double ProberStallMs);

/// <summary>What a probe has seen so far.</summary>
public sealed record ProbeReport
{
    public required ProbeMethod Method { get; init; }

    /// <summary>Time between probes, in milliseconds: the resolution of every duration here.</summary>
    public required double IntervalMs { get; init; }

    public required long ProbesSent { get; init; }

    public required long RepliesReceived { get; init; }

    /// <summary>Whether the guest has answered the latest probes.</summary>
    public required bool IsReachable { get; init; }

    /// <summary>Answers since the last of <see cref="Silences"/> ended.</summary>
    public required long SteadyReplies { get; init; }

    /// <summary>The mean time from probe to answer, in milliseconds; null before the first answer.</summary>
    public required double? RoundTripMs { get; init; }

    /// <summary>The longest time without an answer since the first one; null before the first answer. The network's downtime, if a move lay in it.</summary>
    public required Silence? LongestSilence { get; init; }

    /// <summary>The longest ones, longest first, each at least three intervals long.</summary>
    public required IReadOnlyList<Silence> Silences { get; init; }
}
