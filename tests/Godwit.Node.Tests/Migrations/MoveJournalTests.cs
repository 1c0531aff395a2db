using Godwit.Machines;
using Godwit.Migration.Protocol;
using Godwit.Node.Guests;
using Godwit.Node.Migrations;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Node.Tests.Migrations;

public sealed class MoveJournalTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("godwit-journal-").FullName;
    private readonly FakeTimeProvider time = new();
    private readonly Guid machine = Guid.NewGuid();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void An_old_refusal_says_nothing_about_the_machine_that_a_later_move_brought()
    {
        var refused = Record(TargetRecord.Refused);
        var finished = Record(TargetRecord.Finished);
        var journal = Open();
        journal.Write(refused);
        Assert.True(journal.IsNewest(journal.Find(refused.MoveId)!));

        journal.Write(finished);

        foreach (var seen in new[] { journal, Open() })
        {
            Assert.False(seen.IsNewest(seen.Find(refused.MoveId)!));
            Assert.True(seen.IsNewest(seen.Find(finished.MoveId)!));
            Assert.Equal(HandoverClaim.Owner, seen.ClaimOn(new MachineId(machine)));
        }
    }

    [Fact]
    public void What_is_written_after_a_restart_is_newer_than_what_was_written_before_it()
    {
        var left = Record(null) with { HandedOver = true };
        var back = Record(TargetRecord.Finished);
        Open().Write(back);
        Open().Write(left);

        Assert.Equal(HandoverClaim.HandedOver, Open().ClaimOn(new MachineId(machine)));
    }

    [Fact]
    public void A_refusal_of_another_guest_does_not_count()
    {
        var refused = Record(TargetRecord.Refused);
        var journal = Open();
        journal.Write(refused);
        journal.Write(Record(TargetRecord.Finished) with { Machine = Guid.NewGuid() });

        Assert.True(journal.IsNewest(journal.Find(refused.MoveId)!));
    }

    [Fact]
    public void A_guest_is_refused_until_something_newer_is_known_of_it()
    {
        var journal = Open();
        Assert.False(journal.IsRefused(new(machine)));
        journal.Write(Record(null) with { HandedOver = true });
        Assert.False(journal.IsRefused(new(machine)));
        journal.Write(Record(TargetRecord.Refused));
        Assert.True(journal.IsRefused(new(machine)));
        Assert.True(Open().IsRefused(new(machine)));
        journal.Write(Record(TargetRecord.Arriving));
        Assert.False(journal.IsRefused(new(machine)));
    }

    [Fact]
    public void That_a_guest_came_here_is_not_forgotten_while_the_API_has_not_heard_of_it_nor_that_it_was_handed_over_while_it_is_placed_here()
    {
        var (came, refused, left) = (Record(TargetRecord.Finished), Record(TargetRecord.Refused), Record(null) with { HandedOver = true });
        var journal = Open();
        journal.Write(came);
        journal.Write(refused);
        journal.Write(left);
        time.Advance(MoveJournal.EndKept + TimeSpan.FromHours(1));

        journal.Prune(_ => true, record => record.Move == came.Move);
        Assert.Equal([came.Move, left.Move], journal.All.OrderBy(record => record.Sequence).Select(record => record.Move));

        journal.Prune(_ => false, _ => false);
        Assert.Empty(journal.All);
    }

    private MoveJournal Open() => new(folder, time);

    private MoveRecord Record(TargetRecord? incoming) => new()
    {
        Move = Guid.NewGuid(),
        Machine = machine,
        Source = "node-1",
        Target = "node-2",
        Preparation = new("default", "guest", "move", new()),
        Incoming = incoming,
    };
}
