using Godwit.Linux;
using Godwit.Linux.Files;
using Godwit.Linux.Hosts;
using Godwit.Oci;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Images.Content;

/// <summary>
/// Bytes by their digest. A name under <c>blobs/</c> is given only to bytes that have that digest and are synced to the
/// disk; whatever is being written stands under <c>partial/</c>, named for what it is to become, so that it can be gone on with.
/// </summary>
internal sealed class ContentStore
{
    private readonly string blobs;
    private readonly string partial;

    public ContentStore(string folder)
    {
        blobs = Path.Combine(folder, "blobs");
        partial = Path.Combine(folder, "partial");
        Directory.CreateDirectory(blobs);
        Directory.CreateDirectory(partial);
    }

    public bool Has(Digest digest) => File.Exists(PathOf(digest));

    public long? SizeOf(Digest digest) => new FileInfo(PathOf(digest)) is { Exists: true } file ? file.Length : null;

    /// <summary>For reading.</summary>
    /// <exception cref="ImageException">It is not here.</exception>
    public SafeFileHandle Open(Digest digest)
    {
        try
        {
            return File.OpenHandle(PathOf(digest));
        }
        catch (FileNotFoundException missing)
        {
            throw new ImageException(ImageErrorKind.NotFound, $"The content {digest} is not in the store any more: pull or load its image again.", missing);
        }
    }

    /// <summary>All of a small blob, checked against its digest: disks forget.</summary>
    /// <exception cref="ImageException">Missing, damaged or larger than expected.</exception>
    public byte[] ReadAll(Digest digest, int bytesMax)
    {
        using var file = Open(digest);
        var length = RandomAccess.GetLength(file);
        if (length > bytesMax)
        {
            throw new ImageException(ImageErrorKind.Corrupt, $"The content {digest} has {length} bytes where at most {bytesMax} are expected.");
        }

        var bytes = new byte[(int)length];
        var read = 0;
        while (read < bytes.Length && RandomAccess.Read(file, bytes.AsSpan(read), read) is > 0 and var count)
        {
            read += count;
        }

        return digest.Matches(bytes) ? bytes : throw new ImageException(ImageErrorKind.Corrupt, $"The content {digest} in {PathOf(digest)} is damaged: remove its image and pull it again.");
    }

    /// <summary>Keeps a small blob.</summary>
    public Digest Put(ReadOnlySpan<byte> bytes) => Put(bytes, Digest.Of(bytes));

    /// <summary>Keeps a small blob under the digest that it was checked against.</summary>
    public Digest Put(ReadOnlySpan<byte> bytes, Digest digest)
    {
        if (Has(digest))
        {
            return digest;
        }

        try
        {
            DurableFile.Write(PathOf(digest), bytes);
            return digest;
        }
        catch (LinuxException refusal)
        {
            throw CannotWrite(digest, refusal);
        }
    }

    /// <summary>Opens what there is of a blob that was not finished, to be gone on with; at its end new bytes are appended.</summary>
    public PartialBlob Resume(Descriptor content) => new(content, Path.Combine(partial, FileName(content.Digest)), PathOf(content.Digest));

    /// <summary>Whether so many bytes may still be written here.</summary>
    public bool HasRoomFor(long bytes) => HostFacts.DiskAvailableBytes(partial) >= bytes;

    /// <summary>A nameless blob, for bytes whose digest is known only at their end.</summary>
    public string TemporaryPath() => Path.Combine(partial, $"{Guid.NewGuid():N}.new");

    /// <summary>Gives synced bytes their name.</summary>
    public void Adopt(string temporaryPath, Digest digest)
    {
        File.Move(temporaryPath, PathOf(digest), overwrite: true);
        DurableFile.SyncFolder(blobs);
    }

    public IEnumerable<Digest> List() => Directory.EnumerateFiles(blobs).Select(path => DigestOf(Path.GetFileName(path))).OfType<Digest>();

    /// <summary>Takes a blob away and says how long it was.</summary>
    public long Remove(Digest digest)
    {
        var length = SizeOf(digest) ?? 0;
        File.Delete(PathOf(digest));
        return length;
    }

    /// <summary>Removes what nobody came back for, and what a crash left of writing. Only while nothing is written.</summary>
    public void RemoveStalePartials(DateTimeOffset unchangedSince)
    {
        foreach (var file in new DirectoryInfo(partial).EnumerateFiles())
        {
            if (DigestOf(file.Name) is null || file.LastWriteTimeUtc < unchangedSince.UtcDateTime)
            {
                file.Delete();
            }
        }

        foreach (var leftover in Directory.EnumerateFiles(blobs, "*.new"))
        {
            File.Delete(leftover);
        }
    }

    public string PathOf(Digest digest) => Path.Combine(blobs, FileName(digest));

    private static string FileName(Digest digest) => $"{digest.Algorithm}-{digest.Hex}";

    private static Digest? DigestOf(string fileName) => Digest.TryParse(fileName.Replace('-', ':'), out var digest) ? digest : null;

    internal static ImageException CannotWrite(Digest digest, Exception refusal) => new(ImageErrorKind.Host, $"The content {digest} cannot be written: is there room on the disk?", refusal);
}
