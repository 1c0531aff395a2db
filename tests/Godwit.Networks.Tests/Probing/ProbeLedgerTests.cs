using CsCheck;
using Godwit.Networks.Probing;

namespace Godwit.Networks.Tests.Probing;

public sealed class ProbeLedgerTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(5);

    [Fact]
    public void A_gap_is_measured_from_the_last_answer_before_it_to_the_first_one_after_it()
    {
        var ledger = new ProbeLedger(Interval);
        Run(ledger, 200, number => number is < 100 or >= 140, delayMs: 1);
        var report = Report(ledger, 200);
        Assert.Equal(205, report.LongestSilence!.DurationMs, 3); // 40 lost, so 41 intervals between answers.
        Assert.Equal(40, report.LongestSilence.ProbesLost);
        Assert.Equal(DateTimeOffset.UnixEpoch.AddMilliseconds(99 * 5 + 1), report.LongestSilence.StartedAt);
        Assert.Equal(0, report.LongestSilence.ProberStallMs, 3);
        Assert.Single(report.Silences);
        Assert.Equal((200, 160, 1.0), (report.ProbesSent, report.RepliesReceived, Math.Round(report.RoundTripMs!.Value, 3)));
        Assert.True(report.IsReachable);
    }

    [Fact]
    public void A_silence_that_lasts_is_told_while_it_lasts()
    {
        var ledger = new ProbeLedger(Interval);
        Run(ledger, 200, number => number < 100, delayMs: 1);
        var report = Report(ledger, 200);
        Assert.False(report.IsReachable);
        Assert.Equal(200 * 5 - (99 * 5 + 1), report.LongestSilence!.DurationMs, 3);
    }

    [Fact]
    public void A_guest_is_steady_by_its_answers_since_its_last_silence()
    {
        var ledger = new ProbeLedger(Interval);
        Run(ledger, 200, number => number is < 100 or >= 190, delayMs: 1);
        Assert.Equal(10, Report(ledger, 200).SteadyReplies); // Of 110 answers, those after the silence.
        Assert.Equal(0, Report(ledger, 204).SteadyReplies); // Silent again.
    }

    [Fact]
    public void Before_the_first_answer_there_is_no_silence()
    {
        var ledger = new ProbeLedger(Interval);
        Run(ledger, 200, number => number >= 150, delayMs: 1);
        Assert.True(Report(ledger, 200).LongestSilence!.DurationMs < 6);
        var never = new ProbeLedger(Interval);
        Run(never, 200, _ => false, delayMs: 1);
        Assert.Null(Report(never, 200).LongestSilence);
        Assert.False(Report(never, 200).IsReachable);
    }

    [Fact]
    public void A_prober_that_was_held_up_says_so()
    {
        var ledger = new ProbeLedger(Interval);
        for (var number = 0; number < 100; number++)
        {
            var at = TimeSpan.FromMilliseconds(number * 5 + (number >= 50 ? 300 : 0));
            ledger.Send(at);
            ledger.Receive((ushort)number, at);
        }

        var silence = Report(ledger, 200).LongestSilence!;
        Assert.Equal((305.0, 0, 300.0), (Math.Round(silence.DurationMs, 3), silence.ProbesLost, Math.Round(silence.ProberStallMs, 3)));
    }

    [Fact]
    public void Answers_that_are_late_twice_or_made_up_change_nothing_else()
    {
        var ledger = new ProbeLedger(Interval);
        ledger.Receive(7, TimeSpan.Zero);
        Run(ledger, 10, number => number % 2 == 0, delayMs: 1);
        ledger.Receive(9, TimeSpan.FromMilliseconds(50)); // Late, and true.
        ledger.Receive(8, TimeSpan.FromMilliseconds(50)); // Twice.
        ledger.Receive(4242, TimeSpan.FromMilliseconds(50)); // Never asked.
        Assert.Equal(6, Report(ledger, 10).RepliesReceived);
    }

    [Fact]
    public void Hours_of_probes_and_many_gaps_take_no_more_space_and_the_longest_are_kept()
    {
        var ledger = new ProbeLedger(Interval);
        // Gaps of growing length, over more probes than 16 bits can number.
        Run(ledger, 200_000, number => number % 1000 >= number / 10_000, delayMs: 1);
        var report = Report(ledger, 200_000);
        Assert.Equal(ProbeLedger.SilencesMax, report.Silences.Count);
        Assert.Equal(20 * 5, report.LongestSilence!.DurationMs, 3);
        Assert.Equal(19, report.LongestSilence.ProbesLost);
    }

    [Fact]
    public void The_longest_silence_is_never_shorter_than_the_longest_run_of_lost_probes() => Gen.Bool.Array[2, 400].Sample(answered =>
    {
        answered[0] = true;
        answered[^1] = true;
        var ledger = new ProbeLedger(Interval);
        Run(ledger, answered.Length, number => answered[number], delayMs: 2);
        var (longest, run) = (0, 0);
        foreach (var one in answered)
        {
            run = one ? 0 : run + 1;
            longest = Math.Max(longest, run);
        }

        var silence = Report(ledger, answered.Length).LongestSilence!;
        return Math.Abs(silence.DurationMs - (longest + 1) * 5) < 0.001;
    });

    private static void Run(ProbeLedger ledger, int count, Func<int, bool> answers, double delayMs)
    {
        for (var number = 0; number < count; number++)
        {
            var at = TimeSpan.FromMilliseconds(number * 5);
            ledger.Send(at);
            if (answers(number))
            {
                ledger.Receive((ushort)number, at + TimeSpan.FromMilliseconds(delayMs));
            }
        }
    }

    private static ProbeReport Report(ProbeLedger ledger, int intervals) => ledger.Report(ProbeMethod.Icmp, Interval * intervals, DateTimeOffset.UnixEpoch);
}
