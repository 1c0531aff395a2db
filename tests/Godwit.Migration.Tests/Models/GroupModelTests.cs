using CsCheck;
using Godwit.Migration.Models;

namespace Godwit.Migration.Tests.Models;

public sealed class GroupModelTests
{
    [Theory]
    [InlineData(4, 0.02, 15.9, 0.128, 12.1)]
    [InlineData(4, 0.1, 17.3, 0.089, 13.1)]
    [InlineData(4, 0.2, 19.4, 0.206, 14.7)]
    [InlineData(4, 0.3, 22.1, 0.155, 16.8)]
    [InlineData(8, 0.1, 34.7, 0.089, 30.4)]
    public void Serial_worked_examples(int members, double ratio, double totalSeconds, double memberSeconds, double groupSeconds)
    {
        var result = Feasible(Group(members, ratio).Serial());

        Assert.Equal(totalSeconds, result.TotalSeconds, 0.051);
        Assert.Equal(memberSeconds, result.MemberDowntimeSeconds, 0.0006);
        Assert.Equal(groupSeconds, result.GroupDowntimeSeconds, 0.051);
    }

    [Theory]
    [InlineData(4, 0.02, 17.0, 0.150)]
    [InlineData(4, 0.1, 25.9, 0.210)]
    [InlineData(4, 0.2, 77, 0.331)]
    [InlineData(8, 0.1, 155, 0.338)]
    public void Parallel_worked_examples(int members, double ratio, double totalSeconds, double downtimeSeconds)
    {
        var result = Feasible(Group(members, ratio).Parallel());

        Assert.Equal(totalSeconds, result.TotalSeconds, totalSeconds * 0.003);
        Assert.Equal(downtimeSeconds, result.GroupDowntimeSeconds, 0.0006);
    }

    [Fact]
    public void Parallel_is_refused_with_the_numbers_when_the_members_together_outwrite_the_link()
    {
        var refused = Assert.IsType<GroupOutcome.Refused>(Group(4, 0.3).Parallel());

        Assert.Contains("1.2", refused.Reason, StringComparison.Ordinal);
        Assert.Contains("4 writing at once", refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Serial_is_refused_when_one_member_alone_outwrites_the_link() =>
        Assert.IsType<GroupOutcome.Refused>(Group(2, 1.1).Serial());

    [Fact]
    public void Improved_serial_pulls_the_share_of_all_but_the_first()
    {
        var group = Group(3, 0.1) with { PulledShare = 0.5 };
        var alone = group.Member.Precopy();
        var copySeconds = group.Member.MemoryBytes / group.Member.LinkBytesPerSecond;

        var result = Feasible(group.ImprovedSerial());

        Assert.Equal(alone.DowntimeSeconds + (2 * 0.5 * copySeconds), result.GroupDowntimeSeconds, 9);
        Assert.Equal((copySeconds * 1.11) + (2 * 0.5 * copySeconds), result.TotalSeconds, 9);
    }

    [Fact]
    public void Mixed_with_all_members_is_parallel_and_with_one_is_improved_serial() =>
        Gen.Select(Gen.Int[1, 12], Gen.Double[0, 0.08]).Sample((members, ratio) =>
        {
            var group = Group(members, ratio);
            return group.Mixed(members) == group.Parallel() && group.Mixed(1) == group.ImprovedSerial();
        });

    [Fact]
    public void A_group_of_one_is_the_single_machine() =>
        Gen.Double[0, 0.95].Sample(ratio =>
        {
            var group = Group(1, ratio);
            var alone = group.Member.Precopy();
            var serial = Feasible(group.Serial());
            var parallel = Feasible(group.Parallel());
            return Close(serial.GroupDowntimeSeconds, alone.DowntimeSeconds)
                && Close(parallel.GroupDowntimeSeconds, alone.DowntimeSeconds)
                && Close(serial.TotalSeconds + group.Member.RestartSeconds, alone.TotalSeconds)
                && Close(parallel.TotalSeconds, serial.TotalSeconds);
        });

    [Fact]
    public void Parallel_never_sends_less_than_serial() =>
        Gen.Select(Gen.Int[1, 10], Gen.Double[0, 0.09]).Sample((members, ratio) =>
            Feasible(Group(members, ratio).Parallel()).Bytes >= Feasible(Group(members, ratio).Serial()).Bytes * (1 - 1e-9));

    private static GroupModel Group(int members, double ratio) => new(TextbookModelTests.Example(ratio), members);

    private static GroupResult Feasible(GroupOutcome outcome) => Assert.IsType<GroupOutcome.Feasible>(outcome).Result;

    private static bool Close(double a, double b) => Math.Abs(a - b) <= 1e-9 * Math.Max(1, Math.Abs(a));
}
