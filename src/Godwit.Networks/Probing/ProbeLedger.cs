namespace Godwit.Networks.Probing;

/// <summary>
/// The books of a probe: what was sent and answered when, in bounded space. Pure: time comes as a monotonic span since some start.
/// A silence is the time between two answers that follow each other, so it is counted from the guest's side: a probe that was
/// sent late lengthens it too, and is reported beside it.
/// </summary>
internal sealed class ProbeLedger(TimeSpan interval)
{
    internal const int SilencesMax = 16;

    /// <summary>Probes that may still be answered; at 5 ms they reach back ten seconds.</summary>
    internal const int PendingMax = 2048;

    private const int SilenceIntervalsMin = 3;

    private readonly TimeSpan[] sentAt = new TimeSpan[PendingMax];
    private readonly bool[] answered = new bool[PendingMax];
    private readonly List<RawSilence> silences = [];
    private TimeSpan lastSentAt;
    private TimeSpan? lastReplyAt;
    private long lastReplyNumber = -1;
    private TimeSpan stall;
    private TimeSpan roundTrips;
    private long replies;
    private long steadyReplies;

    internal long Sent { get; private set; }

    internal bool HasReplies => lastReplyAt is not null;

    /// <summary>Notes a probe and returns its number, counted from zero.</summary>
    internal long Send(TimeSpan now)
    {
        var number = Sent++;
        if (number > 0 && now - lastSentAt - interval is var late && late > stall)
        {
            stall = late;
        }

        lastSentAt = now;
        sentAt[number % PendingMax] = now;
        answered[number % PendingMax] = false;
        return number;
    }

    /// <summary>Notes an answer. The wire carries the low 16 bits of the number; an answer to no pending probe, or a second one, is ignored.</summary>
    internal void Receive(ushort sequence, TimeSpan now)
    {
        if (Sent == 0)
        {
            return;
        }

        var latest = Sent - 1;
        var number = latest - (ushort)((ushort)latest - sequence);
        if (number < 0 || latest - number >= PendingMax || answered[number % PendingMax])
        {
            return;
        }

        answered[number % PendingMax] = true;
        roundTrips += now - sentAt[number % PendingMax];
        replies++;
        if (lastReplyAt is { } before)
        {
            steadyReplies = now - before >= SilenceIntervalsMin * interval ? 0 : steadyReplies;
            Note(new RawSilence(before, now - before, (int)Math.Clamp(number - lastReplyNumber - 1, 0, int.MaxValue), stall));
        }

        steadyReplies++;
        stall = TimeSpan.Zero;
        lastReplyAt = now;
        lastReplyNumber = Math.Max(lastReplyNumber, number);
    }

    /// <param name="method">How the probes asked.</param>
    /// <param name="now">On the same clock as all before.</param>
    /// <param name="start">When that clock stood at zero.</param>
    internal ProbeReport Report(ProbeMethod method, TimeSpan now, DateTimeOffset start)
    {
        var all = silences.ToList();
        if (lastReplyAt is { } last && now - last > interval)
        {
            all.Add(new RawSilence(last, now - last, (int)Math.Clamp(Sent - 1 - lastReplyNumber, 0, int.MaxValue), stall));
        }

        var told = all.OrderByDescending(silence => silence.Duration)
            .Select(silence => new Silence(start + silence.From, silence.Duration.TotalMilliseconds, silence.Lost, Math.Max(0, silence.Stall.TotalMilliseconds)))
            .ToList();
        return new ProbeReport
        {
            Method = method,
            IntervalMs = interval.TotalMilliseconds,
            ProbesSent = Sent,
            RepliesReceived = replies,
            IsReachable = lastReplyAt is { } at && now - at < Unreachable,
            SteadyReplies = lastReplyAt is { } latest && now - latest < SilenceIntervalsMin * interval ? steadyReplies : 0,
            RoundTripMs = replies == 0 ? null : roundTrips.TotalMilliseconds / replies,
            LongestSilence = told.FirstOrDefault(),
            Silences = [.. told.Where(silence => silence.DurationMs >= SilenceIntervalsMin * interval.TotalMilliseconds).Take(SilencesMax)],
        };
    }

    private TimeSpan Unreachable => TimeSpan.FromTicks(Math.Max((interval * 20).Ticks, TimeSpan.FromMilliseconds(250).Ticks));

    /// <summary>Keeps the longest ones only.</summary>
    private void Note(RawSilence silence)
    {
        if (silences.Count < SilencesMax)
        {
            silences.Add(silence);
            return;
        }

        var shortest = 0;
        for (var i = 1; i < silences.Count; i++)
        {
            shortest = silences[i].Duration < silences[shortest].Duration ? i : shortest;
        }

        if (silence.Duration > silences[shortest].Duration)
        {
            silences[shortest] = silence;
        }
    }

    private readonly record struct RawSilence(TimeSpan From, TimeSpan Duration, int Lost, TimeSpan Stall);
}
