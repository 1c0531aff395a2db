using System.Security.Cryptography;
using System.Text;
using Godwit.Images.Content;
using Godwit.Images.Tar;
using Godwit.Linux.Files;
using Godwit.Oci;

namespace Godwit.Images.Transfers;

/// <summary>A file of an archive, by what it holds.</summary>
internal sealed record SpooledFile(Digest Digest, long SizeBytes);

/// <summary>
/// Takes the files of an archive of images into the content store, by their digests: which of them is what is known only at
/// the archive's end, where its lists may stand. Every file is pinned; what no image takes up is collected afterwards.
/// </summary>
internal sealed class ArchiveSpool(ContentStore content, ContentPins.ContentLease lease, UnpackLimits limits)
{
    private const int FilesMax = 100_000;
    private const int BufferBytes = 256 << 10;

    private readonly Dictionary<string, SpooledFile> files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> links = new(StringComparer.Ordinal);

    /// <summary>Reads the whole archive. Blocking.</summary>
    public void Read(Stream archive, CancellationToken stopping)
    {
        var (start, compression) = Decompression.Detect(archive);
        using var open = Decompression.Open(start, compression, limits);
        var tar = new TarReader(open);
        long total = 0;
        while (tar.Next() is { } entry)
        {
            stopping.ThrowIfCancellationRequested();
            var name = Encoding.UTF8.GetString(TreePath.Normalise(entry.Name, limits));
            total += entry.SizeBytes;
            if (files.Count + links.Count >= FilesMax || total > limits.TotalBytesMax)
            {
                throw TarReader.Corrupt($"it has more than {FilesMax} files, or {limits.TotalBytesMax} bytes");
            }

            switch (entry.Kind)
            {
                case TarKind.File when entry.Extents is null:
                    files[name] = Store(buffer => tar.Read(buffer), entry.SizeBytes, stopping);
                    break;
                case TarKind.SymbolicLink:
                    // Old archives keep a layer that several images share once, and link to it from beside.
                    links[name] = Resolve(name, Encoding.UTF8.GetString(entry.LinkTarget));
                    break;
                case TarKind.HardLink:
                    links[name] = Encoding.UTF8.GetString(TreePath.Normalise(entry.LinkTarget, limits));
                    break;
            }
        }
    }

    /// <summary>Reads an OCI layout that lies in a folder: its index and its blobs, and nothing that is a link. Blocking.</summary>
    public void ReadLayout(HeldFolder folder, CancellationToken stopping)
    {
        TakeFile(folder, "index.json"u8, "index.json", stopping);
        using var blobs = folder.OpenFolder("blobs"u8);
        foreach (var algorithm in blobs?.List() ?? [])
        {
            using var below = blobs!.OpenFolder(algorithm.Name);
            foreach (var blob in below?.List() ?? [])
            {
                TakeFile(below!, blob.Name, $"blobs/{Encoding.UTF8.GetString(algorithm.Name)}/{Encoding.UTF8.GetString(blob.Name)}", stopping);
            }
        }
    }

    /// <summary>The file of this name; null when there is none.</summary>
    public SpooledFile? Find(string name) => files.GetValueOrDefault(links.GetValueOrDefault(name, name));

    /// <summary>All of a small file; null when there is none.</summary>
    public byte[]? ReadSmall(string name, int bytesMax) => Find(name) is { } file ? content.ReadAll(file.Digest, bytesMax) : null;

    private static string Resolve(string name, string target)
    {
        var parts = name.Split('/')[..^1].ToList();
        foreach (var part in target.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == ".." && parts.Count > 0)
            {
                parts.RemoveAt(parts.Count - 1);
            }
            else if (part is not ("." or ".."))
            {
                parts.Add(part);
            }
        }

        return string.Join('/', parts);
    }

    private void TakeFile(HeldFolder folder, ReadOnlySpan<byte> name, string path, CancellationToken stopping)
    {
        using var file = folder.OpenFile(name);
        if (file is null)
        {
            return;
        }

        if (files.Count >= FilesMax)
        {
            throw TarReader.Corrupt($"it has more than {FilesMax} files");
        }

        var sizeBytes = RandomAccess.GetLength(file);
        long at = 0;
        files[path] = Store(
            buffer =>
            {
                var count = RandomAccess.Read(file, buffer, at);
                at += count;
                return count;
            },
            sizeBytes,
            stopping);
    }

    private SpooledFile Store(Func<byte[], int> read, long sizeBytes, CancellationToken stopping)
    {
        var temporary = content.TemporaryPath();
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                var buffer = new byte[BufferBytes];
                long offset = 0;
                int count;
                while ((count = read(buffer)) > 0)
                {
                    stopping.ThrowIfCancellationRequested();
                    hash.AppendData(buffer.AsSpan(0, count));
                    RandomAccess.Write(file, buffer.AsSpan(0, count), offset);
                    offset += count;
                }

                RandomAccess.FlushToDisk(file);
            }

            var digest = Digest.FromHash(hash.GetHashAndReset());
            lease.Pin(digest);
            content.Adopt(temporary, digest);
            return new SpooledFile(digest, sizeBytes);
        }
        catch (IOException refusal) when (refusal.InnerException is not ImageException)
        {
            throw new ImageException(ImageErrorKind.Host, "A file of the archive cannot be kept: is there room on the disk?", refusal);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
