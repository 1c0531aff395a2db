using Godwit.Images.Tar;

namespace Godwit.Images.Content;

/// <summary>Archives from users, who compress them or not.</summary>
public static class ArchiveDecompression
{
    /// <summary>The archive's plain bytes, whether it is compressed (gzip, zstd, xz, bzip2) or not. xz and bzip2 are programs, which see nothing but the bytes.</summary>
    public static Stream Open(Stream archive, UnpackLimits limits)
    {
        var (stream, compression) = Decompression.Detect(archive);
        return Decompression.Open(stream, compression, limits);
    }
}
