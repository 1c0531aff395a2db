using System.Globalization;
using System.Text;
using Godwit.Store.Sqlite;

namespace Godwit.Store.Tests;

/// <summary>
/// The victim of <see cref="KillTests"/>, in a process of its own: writers that go on until they are killed, each alone
/// with its key, so that what they may have done is always known. Key by key the same circle: step 0 creates, 1 to 3
/// update, 4 deletes. Every acknowledged step is a line on standard output: key, revision, step.
/// </summary>
internal static class KilledWriter
{
    public const string Argument = "--write-until-killed";
    public const int Steps = 5;
    public const int Writers = 8;

    public static string Key(int writer) => string.Create(CultureInfo.InvariantCulture, $"keys/{writer}");

    /// <summary>The step that made the value, of those that leave one.</summary>
    public static int StepOf(StoreItem item) => int.Parse(Encoding.UTF8.GetString(item.Value.Span[..1]), CultureInfo.InvariantCulture);

    public static async Task<int> RunAsync(string storePath)
    {
        // A short write-ahead log and small steps: death is to find checkpoints and compactions half done, too.
        await using var store = SqliteRevisionStore.Open(new SqliteStoreOptions(storePath) { CompactionStepRevisions = 16 });
        await using var output = Console.OpenStandardOutput();
        var acknowledged = TextWriter.Synchronized(new StreamWriter(output) { AutoFlush = true });
        var writers = Enumerable.Range(0, Writers).Select(writer => Task.Run(() => WriteAsync(store, Key(writer), acknowledged)));
        await Task.WhenAll(writers.Append(Task.Run(() => CompactAsync(store))));
        return 0;
    }

    private static async Task WriteAsync(SqliteRevisionStore store, string key, TextWriter acknowledged)
    {
        var found = await store.GetAsync(key, CancellationToken.None);
        var step = found is null ? 0 : StepOf(found) + 1;
        var revision = found?.ModRevision ?? 0;
        while (true)
        {
            var write = step switch
            {
                0 => await store.CreateAsync(key, Value(step), CancellationToken.None),
                Steps - 1 => await store.DeleteAsync(key, revision, CancellationToken.None),
                _ => await store.UpdateAsync(key, Value(step), revision, CancellationToken.None),
            };
            if (!write.Succeeded)
            {
                throw new InvalidOperationException($"{key} is at {write.Existing?.ModRevision}, though its only writer left it at {revision}.");
            }

            await acknowledged.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{key} {write.Revision} {step}"));
            revision = write.Revision;
            step = (step + 1) % Steps;
        }
    }

    private static async Task CompactAsync(SqliteRevisionStore store)
    {
        while (true)
        {
            await store.CompactAsync(await store.GetCurrentRevisionAsync(CancellationToken.None), CancellationToken.None);
        }
    }

    private static byte[] Value(int step) => Encoding.UTF8.GetBytes(step.ToString(CultureInfo.InvariantCulture).PadRight(700, '.'));
}
