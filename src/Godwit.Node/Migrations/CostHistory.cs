using System.Collections.Concurrent;
using System.Text.Json;
using Godwit.Linux.Files;
using Godwit.Migration.Forecasts;

namespace Godwit.Node.Migrations;

/// <summary>What the last moves to one node showed, newest last.</summary>
internal sealed record CostHistoryFile(IReadOnlyList<PastCosts> Moves);

/// <summary>What moves to each node cost beside the copying: a small file each, bounded, and of no importance if it is lost.</summary>
internal sealed class CostHistory
{
    private readonly string folder;
    private readonly ConcurrentDictionary<NodeName, IReadOnlyList<PastCosts>> known = new();

    public CostHistory(string folder)
    {
        this.folder = folder;
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public IReadOnlyList<PastCosts> Of(NodeName target) => known.GetOrAdd(target, Read);

    public void Add(NodeName target, PastCosts move)
    {
        IReadOnlyList<PastCosts> moves = [.. Of(target).TakeLast(PastCosts.MovesMax - 1), move];
        known[target] = moves;
        DurableFile.Write(PathOf(target), JsonSerializer.SerializeToUtf8Bytes(new CostHistoryFile(moves), MoveJson.Default.CostHistoryFile));
    }

    private IReadOnlyList<PastCosts> Read(NodeName target)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(PathOf(target)), MoveJson.Default.CostHistoryFile)?.Moves ?? [];
        }
        catch (Exception error) when (error is IOException or JsonException or UnauthorizedAccessException)
        {
            return []; // None yet, or unreadable: the forecast is wider, nothing else.
        }
    }

    private string PathOf(NodeName target) => Path.Combine(folder, $"{target}.json");
}
