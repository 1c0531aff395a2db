namespace Godwit.Volumes;

/// <summary>Room on a file system, asked before it is needed: a full disk is told at the start, not by a guest that stops.</summary>
public static class DiskSpace
{
    /// <summary>Left alone for the host itself.</summary>
    public const long ReserveBytes = 64L << 20;

    /// <summary>Bytes that may be written to the file system of this folder.</summary>
    public static long AvailableBytes(string folder)
    {
        try
        {
            return new DriveInfo(folder).AvailableFreeSpace;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new VolumeException($"cannot ask how much room there is in {folder}", error);
        }
    }

    /// <exception cref="VolumeException">Not that much room, with the numbers.</exception>
    public static void Require(string folder, long bytes, string purpose)
    {
        var available = AvailableBytes(folder);
        if (available - ReserveBytes < bytes)
        {
            throw new VolumeException(
                $"The disk is full: {purpose} needs {Mebibytes(bytes)} MiB in {folder}, and {Mebibytes(Math.Max(0, available - ReserveBytes))} MiB are free "
                + $"({Mebibytes(ReserveBytes)} MiB are kept for the host); free some, or move the data folder.");
        }
    }

    private static long Mebibytes(long bytes) => bytes >> 20;
}
