using System.Collections.Immutable;
using System.Text.Json;
using Godwit.Linux;
using Godwit.Linux.Files;

namespace Godwit.Images.Catalogue;

/// <summary>Holds the current catalogue, and its file. Readers take <see cref="Current"/> without a lock.</summary>
internal sealed class CatalogueStore
{
    private const int VersionKnown = 1;

    private readonly Lock writing = new();
    private readonly string path;
    private volatile ImageCatalogue current;

    public CatalogueStore(string path)
    {
        this.path = path;
        current = Read(path);
    }

    public ImageCatalogue Current => current;

    /// <summary>Makes a change: computes the new catalogue, writes it durably, and only then shows it.</summary>
    /// <exception cref="ImageException">It could not be written; the old one stands.</exception>
    public ImageCatalogue Change(Func<ImageCatalogue, ImageCatalogue> change)
    {
        lock (writing)
        {
            var next = change(current);
            if (!ReferenceEquals(next, current))
            {
                Write(next);
                current = next;
            }

            return next;
        }
    }

    private static ImageCatalogue Read(string path)
    {
        if (!File.Exists(path))
        {
            return ImageCatalogue.Empty;
        }

        try
        {
            var file = JsonSerializer.Deserialize(File.ReadAllBytes(path), CatalogueJson.Default.CatalogueFile) ?? throw new JsonException("it is null");
            return file.Version > VersionKnown
                ? throw new ImageException(ImageErrorKind.Conflict, $"The list of images {path} was written by a newer godwit: it is of version {file.Version}, and this program knows {VersionKnown}. Nothing was changed; start that newer one.")
                : file.Version == VersionKnown ? new ImageCatalogue
                {
                    Images = file.Images.ToImmutableDictionary(),
                    Names = file.Names.ToImmutableDictionary(name => new Oci.ImageReference(name.Registry, name.Repository, name.Tag, name.Digest), name => name.Image),
                }
                : throw new JsonException($"its version is {file.Version}; this program knows {VersionKnown}");
        }
        catch (Exception damage) when (damage is JsonException or ArgumentException)
        {
            throw new ImageException(ImageErrorKind.Corrupt, $"The list of images {path} cannot be read: restore it, or move it away to start with none.", damage);
        }
    }

    private void Write(ImageCatalogue catalogue)
    {
        var file = new CatalogueFile
        {
            Images = catalogue.Images,
            Names = [.. catalogue.Names.Select(entry => new NameRecord(entry.Key.Registry, entry.Key.Repository, entry.Key.Tag, entry.Key.Digest, entry.Value))],
        };
        try
        {
            DurableFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(file, CatalogueJson.Default.CatalogueFile));
        }
        catch (LinuxException refusal)
        {
            throw new ImageException(ImageErrorKind.Host, "The list of images cannot be written.", refusal);
        }
    }
}
