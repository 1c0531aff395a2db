using Godwit.Images.Catalogue;
using Godwit.Images.Layers;
using Godwit.Oci;

namespace Godwit.Images.Content;

/// <summary>
/// Removes content that nothing needs: mark, from the catalogue, the containers' roots and the pins, and sweep the rest. Names
/// are taken away under the pins' lock, so that who pins and then looks sees either the content, or its absence.
/// </summary>
internal sealed class Collector(ContentStore content, UnpackedLayers layers, ContentPins pins)
{
    /// <returns>Bytes that came free on the disk.</returns>
    public long Collect(CatalogueStore catalogue, LayerStore roots)
    {
        long reclaimed = 0;
        var gone = new List<LayerStaging?>();
        lock (pins.Gate)
        {
            var needed = Mark(catalogue.Current, roots.List());
            foreach (var blob in content.List().Where(blob => !needed.Contains(blob) && !pins.IsPinned_NeedsGate(blob)).ToList())
            {
                reclaimed += content.Remove(blob);
            }

            foreach (var layer in layers.Ids.Where(layer => !needed.Contains(layer) && !pins.IsPinned_NeedsGate(layer)).ToList())
            {
                reclaimed += layers.Find(layer)?.SizeBytes ?? 0;
                gone.Add(layers.Detach(layer));
            }
        }

        gone.ForEach(each => each?.Dispose());
        return reclaimed;
    }

    private static HashSet<Digest> Mark(ImageCatalogue catalogue, IReadOnlyList<ContainerLayer> roots)
    {
        var needed = new HashSet<Digest>();
        foreach (var (id, record) in catalogue.Images)
        {
            needed.Add(id);
            if (record.Manifest is { } manifest)
            {
                needed.Add(manifest.Digest);
            }

            foreach (var layer in record.Layers)
            {
                needed.Add(layer.DiffId);
                if (layer.Blob is { } blob)
                {
                    needed.Add(blob.Digest);
                }
            }
        }

        needed.UnionWith(catalogue.Names.Keys.Where(name => name.Digest is not null).Select(name => name.Digest!.Value)); // Indexes.
        foreach (var root in roots)
        {
            needed.UnionWith(root.Layers);
            needed.UnionWith(root.CommittedLayers());
        }

        return needed;
    }
}
