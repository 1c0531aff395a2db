namespace Godwit.Migration.Models;

/// <summary>A reading: so many unique bytes of memory were dirtied within a window of so many seconds.</summary>
public readonly record struct DirtyPoint(double WindowSeconds, double UniqueBytes);

/// <summary>
/// u(t): the unique bytes that a guest dirties within t seconds. It starts at zero, never falls, and saturates at the
/// writable working set (WWS): a page written a hundred times in a round is sent once. Between readings it is linear,
/// after the last reading it goes on with the last slope until it reaches <see cref="WorkingSetBytes"/>.
/// </summary>
public sealed class DirtyCurve
{
    private readonly DirtyPoint[] points;
    private readonly double lastSlope;

    private DirtyCurve(DirtyPoint[] points, double workingSetBytes)
    {
        this.points = points;
        WorkingSetBytes = workingSetBytes;
        lastSlope = points.Length == 0 ? 0 : Slope(points.Length < 2 ? default : points[^2], points[^1]);
    }

    /// <summary>A guest that writes nothing.</summary>
    public static DirtyCurve Idle { get; } = new([], 0);

    /// <summary>WWS: the most that any window can dirty, in bytes.</summary>
    public double WorkingSetBytes { get; }

    /// <summary>A constant rate up to a working set.</summary>
    public static DirtyCurve Constant(double bytesPerSecond, double workingSetBytes) =>
        bytesPerSecond <= 0 ? Idle : FromReadings([new(workingSetBytes / bytesPerSecond, workingSetBytes)], workingSetBytes);

    /// <summary>
    /// From noisy readings, in any order. A reading below that of a shorter window is lifted to it, for u never falls.
    /// <paramref name="workingSetBytes"/> is the bound known otherwise: at most the guest's memory.
    /// </summary>
    public static DirtyCurve FromReadings(IEnumerable<DirtyPoint> readings, double workingSetBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(workingSetBytes);
        var ordered = readings.Where(point => point.WindowSeconds > 0).OrderBy(point => point.WindowSeconds).ToArray();
        var highest = 0.0;
        for (var i = 0; i < ordered.Length; i++)
        {
            highest = Math.Min(workingSetBytes, Math.Max(highest, ordered[i].UniqueBytes));
            ordered[i] = ordered[i] with { UniqueBytes = highest };
        }

        return new(ordered, workingSetBytes);
    }

    /// <summary>
    /// From many readings of the same guest, of several moves: the rising curve that lies nearest to them all (least squares; the pool-adjacent-violators
    /// algorithm), where <see cref="FromReadings"/> would go along the highest.
    /// </summary>
    public static DirtyCurve Fitted(IEnumerable<DirtyPoint> readings, double workingSetBytes)
    {
        var pools = new List<(double Seconds, double Bytes, int Count)>();
        foreach (var point in readings.Where(point => point.WindowSeconds > 0).OrderBy(point => point.WindowSeconds).ThenByDescending(point => point.UniqueBytes))
        {
            var pool = (point.WindowSeconds, point.UniqueBytes, 1);
            while (pools.Count > 0 && pools[^1].Bytes / pools[^1].Count >= pool.UniqueBytes / pool.Item3)
            {
                pool = (pools[^1].Seconds + pool.WindowSeconds, pools[^1].Bytes + pool.UniqueBytes, pools[^1].Count + pool.Item3);
                pools.RemoveAt(pools.Count - 1);
            }

            pools.Add(pool);
        }

        return FromReadings(pools.Select(pool => new DirtyPoint(pool.Seconds / pool.Count, pool.Bytes / pool.Count)), workingSetBytes);
    }

    /// <summary>u(t), in bytes.</summary>
    public double UniqueBytes(double seconds)
    {
        if (seconds <= 0 || points.Length == 0)
        {
            return 0;
        }

        var before = default(DirtyPoint);
        foreach (var after in points)
        {
            if (seconds <= after.WindowSeconds)
            {
                return before.UniqueBytes + (Slope(before, after) * (seconds - before.WindowSeconds));
            }

            before = after;
        }

        return Math.Min(WorkingSetBytes, before.UniqueBytes + (lastSlope * (seconds - before.WindowSeconds)));
    }

    /// <summary>The same guest writing faster or slower: time runs <paramref name="factor"/> times as fast.</summary>
    public DirtyCurve Faster(double factor)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(factor);
        return factor == 0 ? Idle : new([.. points.Select(point => point with { WindowSeconds = point.WindowSeconds / factor })], WorkingSetBytes);
    }

    private static double Slope(DirtyPoint before, DirtyPoint after) =>
        after.WindowSeconds <= before.WindowSeconds ? 0 : (after.UniqueBytes - before.UniqueBytes) / (after.WindowSeconds - before.WindowSeconds);
}
