using System.Text;
using System.Text.Json;
using Godwit.Images.Catalogue;
using Godwit.Images.Content;
using Godwit.Images.Tar;
using Godwit.Oci;

namespace Godwit.Images.Transfers;

/// <summary>An image to be saved: complete (<see cref="BlobMaker"/>), with the names it is saved under.</summary>
internal sealed record SavedImage(Digest Config, ImageRecord Record, IReadOnlyList<ImageReference> Names);

/// <summary>Writes images as a tar that is an OCI layout, with the <c>manifest.json</c> that docker's <c>load</c> of any age reads. Every blob once.</summary>
internal sealed class ArchiveSaver(ContentStore content)
{
    private const int BufferBytes = 256 << 10;
    private const uint FileMode = 0x1a4; // 0644

    /// <summary>Blocking.</summary>
    public void Save(IReadOnlyList<SavedImage> images, Stream output, CancellationToken stopping)
    {
        var tar = new TarWriter(output);
        var written = new HashSet<Digest>();
        foreach (var image in images)
        {
            foreach (var blob in image.Record.Layers.Select(layer => layer.Blob!.Digest).Append(image.Config).Append(image.Record.Manifest!.Digest).Where(written.Add))
            {
                AddBlob(tar, blob, stopping);
            }
        }

        AddText(tar, "oci-layout", """{"imageLayoutVersion":"1.0.0"}"""u8);
        AddText(tar, "index.json", OciFormat.Write(new ImageIndex { MediaType = MediaTypes.OciIndex, Manifests = [.. images.SelectMany(Entries)] }));
        IReadOnlyList<DockerArchiveImage> list = [.. images.Select(image => new DockerArchiveImage
        {
            Config = PathOf(image.Config),
            RepoTags = [.. image.Names.Select(name => name.ToString())],
            Layers = [.. image.Record.Layers.Select(layer => PathOf(layer.Blob!.Digest))],
        })];
        AddText(tar, "manifest.json", JsonSerializer.SerializeToUtf8Bytes(list, ArchiveJson.Default.IReadOnlyListDockerArchiveImage));
        tar.End();
        output.Flush();
    }

    private static IEnumerable<Descriptor> Entries(SavedImage image)
    {
        var manifest = image.Record.Manifest!;
        return image.Names.Count == 0 ? [manifest] : image.Names.Select(name => manifest with
        {
            Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [Annotations.ContainerdImageName] = name.ToString(), [Annotations.ReferenceName] = name.Tag ?? "" },
        });
    }

    private static string PathOf(Digest digest) => $"blobs/{digest.Algorithm}/{digest.Hex}";

    private static void AddText(TarWriter tar, string name, ReadOnlySpan<byte> text) => tar.Add(new TarEntry { Name = Encoding.UTF8.GetBytes(name), Kind = TarKind.File, Mode = FileMode }, text);

    private void AddBlob(TarWriter tar, Digest digest, CancellationToken stopping)
    {
        using var file = content.Open(digest);
        var length = RandomAccess.GetLength(file);
        tar.Begin(new TarEntry { Name = Encoding.UTF8.GetBytes(PathOf(digest)), Kind = TarKind.File, Mode = FileMode, SizeBytes = length });
        var buffer = new byte[BufferBytes];
        for (long offset = 0; offset < length;)
        {
            stopping.ThrowIfCancellationRequested();
            var count = RandomAccess.Read(file, buffer, offset);
            if (count == 0)
            {
                throw new ImageException(ImageErrorKind.Corrupt, $"The content {digest} became shorter while it was saved.");
            }

            tar.Write(buffer.AsSpan(0, count));
            offset += count;
        }
    }
}
