using CsCheck;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Protocol;

public sealed class ServiceRecordTests
{
    private static readonly DateTimeOffset Began = DateTimeOffset.UnixEpoch.AddYears(50);
    private static readonly ServicePatience Patience = new();

    [Fact]
    public void All_stop_when_all_are_in_their_last_rounds_and_run_when_all_have_arrived()
    {
        var record = Next(ServiceRecord.New, 1, ServiceStanding.Gathered, ServiceStanding.Coming);
        Assert.Same(ServiceRecord.New, record);

        record = Next(record, 2, ServiceStanding.Gathered, ServiceStanding.Ready);
        Assert.Equal((ServiceDecision.Undecided, Began.AddSeconds(2)), (record.Decision, record.SwitchoverOrderedAt));

        record = Next(record, 3, ServiceStanding.Gathered, ServiceStanding.Ready);
        Assert.Equal(ServiceDecision.Undecided, record.Decision);
        Assert.Equal(ServiceDecision.RunAll, Next(record, 4, ServiceStanding.Ready, ServiceStanding.Ready).Decision);
    }

    [Fact]
    public void One_that_returns_takes_all_with_it_and_its_reason_is_the_record_s()
    {
        var record = ServiceRecord.New.Next([new(ServiceStanding.Ready, ""), new(ServiceStanding.Returns, "its disk is full")], Began, Patience, Began);

        Assert.Equal((ServiceDecision.ReturnAll, "its disk is full"), (record.Decision, record.Reason));
    }

    [Fact]
    public void Who_does_not_come_in_time_is_not_waited_for()
    {
        var gathering = Patience.Gathering.TotalSeconds;
        Assert.Equal(ServiceDecision.Undecided, Next(ServiceRecord.New, gathering, ServiceStanding.Gathered, ServiceStanding.Coming).Decision);
        Assert.Equal(ServiceDecision.ReturnAll, Next(ServiceRecord.New, gathering + 0.001, ServiceStanding.Gathered, ServiceStanding.Coming).Decision);

        var ordered = Next(ServiceRecord.New, 1, ServiceStanding.Gathered, ServiceStanding.Gathered);
        Assert.Equal(Began.AddSeconds(1) + Patience.Switchover, ordered.DueAt(Began, Patience));
        Assert.Equal(ServiceDecision.Undecided, Next(ordered, 1 + Patience.Switchover.TotalSeconds, ServiceStanding.Ready, ServiceStanding.Gathered).Decision);
        Assert.Equal(ServiceDecision.ReturnAll, Next(ordered, 1.001 + Patience.Switchover.TotalSeconds, ServiceStanding.Ready, ServiceStanding.Gathered).Decision);
    }

    /// <summary>The keeper's patience ends after a member's own, so that the member that failed has said why.</summary>
    [Fact]
    public void A_member_gives_up_before_the_record_does() => Assert.True(Patience.Switchover > new PatienceSettings().Switchover && Patience.Switchover > new PatienceSettings().Decision);

    [Fact]
    public void Whatever_is_told_in_whatever_order_a_decision_is_never_another_and_all_run_only_when_all_were_ready_at_once()
    {
        var standing = Gen.Int[0, 3].Select(value => (ServiceStanding)value);
        var looks = Gen.Select(Gen.Double[0, 3000], standing.Array[3], (seconds, told) => (Seconds: seconds, Told: told)).Array[1, 20];
        looks.Sample(sequence =>
        {
            var record = ServiceRecord.New;
            foreach (var (seconds, told) in sequence.OrderBy(look => look.Seconds))
            {
                var next = Next(record, seconds, told);
                if (record.Decision != ServiceDecision.Undecided)
                {
                    Assert.Equal(record, next);
                }
                else if (next.Decision == ServiceDecision.RunAll)
                {
                    Assert.All(told, each => Assert.Equal(ServiceStanding.Ready, each));
                }

                record = next;
            }

            Assert.Equal(record.Decision == ServiceDecision.Undecided ? ServiceDecision.ReturnAll : record.Decision, record.Return("cancelled").Decision);
        });
    }

    private static ServiceRecord Next(ServiceRecord record, double seconds, params ServiceStanding[] told) =>
        record.Next([.. told.Select(standing => new ServiceMember(standing, $"{standing}"))], Began, Patience, Began.AddSeconds(seconds));
}
