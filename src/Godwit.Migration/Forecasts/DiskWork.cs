using System.Globalization;
using Godwit.Migration.Models;

namespace Godwit.Migration.Forecasts;

/// <summary>
/// The disks that go along. They are copied while the guest runs, and when they are in step the rounds of memory begin, so their time comes before all
/// rounds and adds nothing to the stop:
/// <code>
///   T = D / (R − w)      bytes = R · T
/// </code>
/// D is what is stored of them and not at the target already, R what the mirrors get, w what the guest writes to them meanwhile. What it writes ahead of the mirror
/// costs nothing, what it writes behind is copied again: the kind end has no w, the unkind end all of it. Disks that are written nearly as
/// fast as they are copied are in step late or never; the unkind end then is ten times the copy.
/// </summary>
/// <param name="Bytes">D.</param>
/// <param name="BytesPerSecond">R.</param>
/// <param name="WrittenBytesPerSecond">w; null: not known, and not counted.</param>
public sealed record DiskWork(Interval Bytes, Interval BytesPerSecond, double? WrittenBytesPerSecond)
{
    private const double StretchMax = 10;

    /// <summary>No disk goes along.</summary>
    public static DiskWork None { get; } = new(Interval.Exactly(0), Interval.Exactly(1), 0);

    public bool IsNone => Bytes.High <= 0;

    /// <summary>By how much the guest's writes lengthen the copy at worst.</summary>
    private double Stretch => WrittenBytesPerSecond is { } written && written > 0 ? Math.Min(StretchMax, BytesPerSecond.Low / Math.Max(1, BytesPerSecond.Low - written)) : 1;

    /// <summary>Until all are in step, in milliseconds.</summary>
    public Interval TotalMs => IsNone ? Interval.Exactly(0) : new(Bytes.Low / BytesPerSecond.High * 1000, Bytes.High * Stretch / BytesPerSecond.Low * 1000);

    /// <summary>On the wire.</summary>
    public Interval WireBytes => new(Bytes.Low, Bytes.High * Stretch);

    /// <summary>For a forecast's reason; empty: nothing to say.</summary>
    internal string Words => IsNone ? "" : string.Create(
        CultureInfo.InvariantCulture,
        $"; up to {Bytes.High / (1 << 20):0} MiB of its disks are copied first{(Stretch >= StretchMax ? ", and written nearly as fast as they are copied" : "")}");

    /// <summary>What makes it uncertain; null: nothing.</summary>
    internal string? Doubt => IsNone || WrittenBytesPerSecond is not null ? null : "what is written to its disks meanwhile is not known and not counted";

    /// <summary>When the link is shared.</summary>
    public DiskWork WithShare(double share) => this with { BytesPerSecond = BytesPerSecond * share };
}
