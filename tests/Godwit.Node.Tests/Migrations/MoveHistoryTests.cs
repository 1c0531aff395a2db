using Godwit.Machines;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;
using Godwit.Node.Migrations;
using Godwit.Node.Peers;

namespace Godwit.Node.Tests.Migrations;

public sealed class MoveHistoryTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("godwit-history-").FullName;
    private readonly MoveJournal journal;
    private readonly Guid move = Guid.NewGuid();
    private readonly MachineId guest = new(Guid.NewGuid());

    public MoveHistoryTests()
    {
        journal = new(Path.Combine(folder, "moves"), TimeProvider.System);
        journal.Write(new()
        {
            Move = move,
            Machine = guest.Value,
            Source = "node-1",
            Target = "node-2",
            Incoming = TargetRecord.Finished,
            Preparation = new("default", "db", "db-1", new()),
        });
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void What_a_source_tells_of_its_guest_is_kept_and_outlives_the_agent()
    {
        History().Hear(journal, NodeName.Parse("node-1"), new(move, [Showing(1), Showing(2)]));

        Assert.Equal([1.0, 2.0], History().Of(guest).Select(past => past.FirstPassBytes));
        Assert.Equal(new DirtyPoint(2, 5), History().Of(guest)[0].Rounds[0]);
    }

    [Fact]
    public void The_newest_moves_are_kept()
    {
        var history = History();
        for (var count = 1; count <= LearnedCorrection.MovesMax + 3; count++)
        {
            history.Add(guest, Showing(count));
        }

        Assert.Equal(LearnedCorrection.MovesMax, history.Of(guest).Count);
        Assert.Equal(LearnedCorrection.MovesMax + 3, history.Of(guest)[^1].FirstPassBytes);
    }

    [Fact]
    public void Another_guest_begins_anew_and_of_very_many_the_longest_unmoved_are_forgotten()
    {
        var history = History();
        history.Add(guest, Showing(1));
        File.SetLastWriteTimeUtc(Path.Combine(folder, "history", $"{guest}.json"), DateTime.UnixEpoch);
        Assert.Empty(history.Of(new(Guid.NewGuid())));

        for (var others = 0; others < 1024; others++)
        {
            File.WriteAllText(Path.Combine(folder, "history", $"{Guid.NewGuid()}.json"), "{}");
        }

        history.Add(new(Guid.NewGuid()), Showing(2));

        Assert.Empty(history.Of(guest));
        Assert.Equal(1024, Directory.GetFiles(Path.Combine(folder, "history")).Length);
    }

    [Fact]
    public void Only_the_source_of_a_move_that_came_here_is_heard()
    {
        var other = Assert.Throws<PeerRefusedException>(() => History().Hear(journal, NodeName.Parse("node-3"), new(move, [Showing(1)])));
        var unknown = Assert.Throws<PeerRefusedException>(() => History().Hear(journal, NodeName.Parse("node-1"), new(Guid.NewGuid(), [Showing(1)])));

        Assert.Equal((PeerRefusal.NotAllowed, PeerRefusal.NotAllowed), (other.Code, unknown.Code));
        Assert.Empty(History().Of(guest));
    }

    [Fact]
    public void Numbers_that_no_move_has_are_refused()
    {
        var wrong = Assert.Throws<PeerRefusedException>(() => History().Hear(journal, NodeName.Parse("node-1"), new(move, [Showing(-1)])));
        var many = Assert.Throws<PeerRefusedException>(
            () => History().Hear(journal, NodeName.Parse("node-1"), new(move, [.. Enumerable.Repeat(Showing(1), LearnedCorrection.MovesMax + 1)])));

        Assert.Equal((PeerRefusal.BadRequest, PeerRefusal.BadRequest), (wrong.Code, many.Code));
    }

    private MoveHistory History() => new(Path.Combine(folder, "history"));

    private static PastMove Showing(double firstPassBytes) => new() { FirstPassBytes = firstPassBytes, Rounds = [new(2, 5)] };
}
