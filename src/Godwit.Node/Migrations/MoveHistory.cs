using System.Collections.Concurrent;
using System.Text.Json;
using Godwit.Linux.Files;
using Godwit.Migration.Forecasts;

namespace Godwit.Node.Migrations;

/// <summary>One guest's past moves from this host, newest last.</summary>
internal sealed record MoveHistoryFile(IReadOnlyList<PastMove> Moves);

/// <summary>What past moves of each guest showed: a small file each, bounded, and of no importance if it is lost.</summary>
internal sealed class MoveHistory
{
    private readonly string folder;
    private readonly ConcurrentDictionary<string, IReadOnlyList<PastMove>> known = new(StringComparer.Ordinal);

    public MoveHistory(string folder)
    {
        this.folder = folder;
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <param name="guest">Namespace and name, joined by a dot: neither has a slash.</param>
    public IReadOnlyList<PastMove> Of(string guest) => known.GetOrAdd(guest, Read);

    public void Add(string guest, PastMove move)
    {
        IReadOnlyList<PastMove> moves = [.. Of(guest).TakeLast(LearnedCorrection.MovesMax - 1), move];
        known[guest] = moves;
        DurableFile.Write(PathOf(guest), JsonSerializer.SerializeToUtf8Bytes(new MoveHistoryFile(moves), MoveJson.Default.MoveHistoryFile));
    }

    private IReadOnlyList<PastMove> Read(string guest)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(PathOf(guest)), MoveJson.Default.MoveHistoryFile)?.Moves ?? [];
        }
        catch (Exception error) when (error is IOException or JsonException or UnauthorizedAccessException)
        {
            return []; // Not moved yet, or unreadable: the forecast is wider, nothing else.
        }
    }

    private string PathOf(string guest) => Path.Combine(folder, $"{guest}.json");
}
