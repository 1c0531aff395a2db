namespace Godwit.Images.Tar;

/// <summary>What an archive may not exceed: beyond it is a bomb, and unpacking stops with an error that names the limit.</summary>
public sealed record UnpackLimits
{
    public int EntriesMax { get; init; } = 2_000_000;

    /// <summary>Of all files together, holes included.</summary>
    public long TotalBytesMax { get; init; } = 256L << 30;

    /// <summary>Of one name, in bytes; Linux takes no longer paths.</summary>
    public int PathBytesMax { get; init; } = 4095;

    /// <summary>Folders within folders.</summary>
    public int DepthMax { get; init; } = 512;

    /// <summary>How many times more bytes may come out of the compressed form than went in, once <see cref="RatioFreeBytes"/> have come out.</summary>
    public int RatioMax { get; init; } = 250;

    /// <summary>Output that is not yet judged by <see cref="RatioMax"/>: images of mostly empty disks are honest, and their zeroes become holes.</summary>
    public long RatioFreeBytes { get; init; } = 16L << 30;
}
