using Godwit.Machines;
using Godwit.Node.Guests;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Node.Tests.Guests;

public sealed class IncarnationJournalTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory($"godwit-incarnations-{Environment.ProcessId}-").FullName;
    private readonly MachineId id = new(Guid.NewGuid());

    [Fact]
    public void Records_are_there_after_a_restart_until_they_are_forgotten()
    {
        Open().Write(new Incarnation.Started(id, "default", "tiny"));
        Assert.Equal(new Incarnation.Started(id, "default", "tiny"), Open().Find(id));

        var end = new Incarnation.Ended(id, "default", "tiny", new GuestOutcome(false, "GuestCrashed", "it did"));
        Open().Write(end);
        Assert.Equal(end, Open().Find(id));

        Open().Forget(id);
        Assert.Null(Open().Find(id));
    }

    [Fact]
    public void Where_a_guest_is_on_its_way_into_a_file_and_out_of_it_is_there_after_a_restart()
    {
        foreach (var record in (Incarnation[])[new Incarnation.Suspending(id, "default", "tiny"), new Incarnation.Suspended(id, "default", "tiny", 5), new Incarnation.Resuming(id, "default", "tiny")])
        {
            Open().Write(record);
            Assert.Equal(record, Open().Find(id));
        }

        Open().Write(new Incarnation.Started(id, "default", "tiny"));
        Assert.Equal(new Incarnation.Started(id, "default", "tiny"), Open().Find(id));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{\"namespace\":1}")]
    [InlineData("garbage")]
    public void A_record_that_cannot_be_read_counts_as_a_guest_that_ran(string contents)
    {
        File.WriteAllText(Path.Combine(folder, $"{id}.json"), contents);

        Assert.IsType<Incarnation.Started>(Open().Find(id));
    }

    [Fact]
    public void What_has_ended_does_not_start_again()
    {
        var journal = Open();
        journal.Write(new Incarnation.Ended(id, "default", "tiny", new GuestOutcome(true, "Stopped", "")));

        Assert.Throws<InvalidOperationException>(() => journal.Write(new Incarnation.Started(id, "default", "tiny")));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private IncarnationJournal Open() => new(folder, NullLogger.Instance);
}
