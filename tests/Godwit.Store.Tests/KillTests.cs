using System.Diagnostics;
using System.Globalization;
using Godwit.Store.Conformance;
using Godwit.Store.Sqlite;

namespace Godwit.Store.Tests;

/// <summary><b>Durable</b> against death without warning: a writing process is killed again and again on the same file.</summary>
public sealed class KillTests : IDisposable
{
    private const int Rounds = 20;
    private const int AcknowledgementsMax = 400;

    private readonly TemporaryFolder folder = new();
    private readonly CancellationTokenSource bound = new(TimeSpan.FromMinutes(10));

    [Fact]
    public async Task Whatever_was_acknowledged_before_kill_9_is_there_afterwards()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var storePath = folder.File("store.db");
        var last = new Dictionary<string, Acknowledgement>(StringComparer.Ordinal);
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var acknowledged in await WriteUntilKilledAsync(storePath, random.Next(1, AcknowledgementsMax)))
            {
                last[acknowledged.Key] = acknowledged;
            }

            await using var store = SqliteRevisionStore.Open(new SqliteStoreOptions(storePath));
            var current = await store.GetCurrentRevisionAsync(bound.Token);
            foreach (var acknowledged in last.Values.ToList())
            {
                var item = await store.GetAsync(acknowledged.Key, bound.Token);
                Promise.Check(
                    Promise.Durable,
                    acknowledged.Revision <= current && acknowledged.Explains(item),
                    $"round {round} of seed {seed}: {acknowledged} was acknowledged; found {item?.ModRevision} at step {(item is null ? "-" : KilledWriter.StepOf(item))}.");

                // The next writer goes on from what was found, and may leave one more step unacknowledged.
                last[acknowledged.Key] = item is null
                    ? acknowledged with { Step = KilledWriter.Steps - 1 }
                    : acknowledged with { Revision = item.ModRevision, Step = KilledWriter.StepOf(item) };
            }
        }
    }

    public void Dispose()
    {
        bound.Dispose();
        folder.Dispose();
    }

    /// <summary>Kills the writer once it has acknowledged so many writes; returns all that it acknowledged before it died.</summary>
    private async Task<List<Acknowledgement>> WriteUntilKilledAsync(string storePath, int acknowledgements)
    {
        using var writer = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [KilledWriter.Argument, storePath]) { RedirectStandardOutput = true })!;
        var lines = new List<string>();
        try
        {
            while (lines.Count < acknowledgements && await writer.StandardOutput.ReadLineAsync(bound.Token) is { } line)
            {
                lines.Add(line);
            }

            Assert.False(writer.HasExited, "The writer ended by itself; its error is above.");
        }
        finally
        {
            writer.Kill();
        }

        var rest = await writer.StandardOutput.ReadToEndAsync(bound.Token);
        lines.AddRange(rest.Split('\n')[..^1]); // The last part is a line that death cut short.
        await writer.WaitForExitAsync(bound.Token);
        return lines.ConvertAll(Acknowledgement.Parse);
    }

    private sealed record Acknowledgement(string Key, long Revision, int Step)
    {
        public static Acknowledgement Parse(string line)
        {
            var parts = line.Split(' ');
            return new(parts[0], long.Parse(parts[1], CultureInfo.InvariantCulture), int.Parse(parts[2], CultureInfo.InvariantCulture));
        }

        /// <summary>Whether what is there is this step, or the one after it, which was under way unacknowledged.</summary>
        public bool Explains(StoreItem? found) => found switch
        {
            null => Step is KilledWriter.Steps - 1 or KilledWriter.Steps - 2,
            _ when found.ModRevision == Revision => KilledWriter.StepOf(found) == Step,
            _ => found.ModRevision > Revision && KilledWriter.StepOf(found) == (Step + 1) % KilledWriter.Steps,
        };
    }
}
