using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Godwit.Linux;
using Godwit.Linux.Files;
using Godwit.Oci;

namespace Godwit.Images.Layers;

/// <summary>
/// The unpacked layers, each once, by the digest of its tar. A layer is made in a folder of its own under <c>staging/</c>,
/// and moved to <c>layers/NUMBER/</c> when all of it is there and synced: so a folder under <c>layers/</c> is always whole,
/// whenever the power went. Numbers keep the kernel's page of mount options short; they are never used twice while we live.
/// <code>
///   staging/GUID/{fs/, layer.json} ──sync, rename──▶ layers/17/{fs/, layer.json} ──rename──▶ staging/GUID (removed)
/// </code>
/// </summary>
internal sealed class UnpackedLayers
{
    private readonly string layers;
    private readonly string staging;
    private readonly ConcurrentDictionary<Digest, UnpackedLayer> known = new();
    private long lastNumber;

    public UnpackedLayers(string folder)
    {
        layers = Path.Combine(folder, "layers");
        staging = Path.Combine(folder, "staging");
        Directory.CreateDirectory(layers);
        Directory.CreateDirectory(staging);
        RemoveAll(staging);
        foreach (var found in Directory.EnumerateDirectories(layers))
        {
            Take(found);
        }
    }

    /// <summary>The folder that holds all layers, named by their numbers.</summary>
    public string Folder => layers;

    public IEnumerable<Digest> Ids => known.Keys;

    public UnpackedLayer? Find(Digest diffId) => known.GetValueOrDefault(diffId);

    /// <summary>An empty folder to make a layer in.</summary>
    public LayerStaging Begin()
    {
        var folder = Path.Combine(staging, Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(Path.Combine(folder, LayerStaging.FilesName));
        return new LayerStaging(folder);
    }

    /// <summary>Makes the staged folder the layer of this digest. If there is one already, that one stays.</summary>
    public UnpackedLayer Commit(LayerStaging staged, Digest diffId, long sizeBytes)
    {
        var description = JsonSerializer.SerializeToUtf8Bytes(new LayerDescription { DiffId = diffId, SizeBytes = sizeBytes }, LayerJson.Default.LayerDescription);
        File.WriteAllBytes(Path.Combine(staged.Folder, "layer.json"), description); // Synced with all the rest.
        using (var held = HeldFolder.Open(staged.Folder))
        {
            held.SyncFileSystem();
        }

        var number = Interlocked.Increment(ref lastNumber);
        var layer = new UnpackedLayer(diffId, number, Path.Combine(layers, number.ToString(CultureInfo.InvariantCulture), LayerStaging.FilesName), sizeBytes);
        lock (known)
        {
            if (known.TryGetValue(diffId, out var first))
            {
                return first;
            }

            Directory.Move(staged.Folder, Path.GetDirectoryName(layer.FilesPath)!);
            DurableFile.SyncFolder(layers);
            known[diffId] = layer;
            return layer;
        }
    }

    /// <summary>Takes a layer's name away at once; its files go when the staging that is returned is disposed.</summary>
    public LayerStaging? Detach(Digest diffId)
    {
        lock (known)
        {
            if (!known.TryRemove(diffId, out var layer))
            {
                return null;
            }

            var gone = Path.Combine(staging, Guid.NewGuid().ToString("N"));
            Directory.Move(Path.GetDirectoryName(layer.FilesPath)!, gone);
            return new LayerStaging(gone);
        }
    }

    private static void RemoveAll(string folder)
    {
        using var held = HeldFolder.Open(folder);
        foreach (var entry in held.List())
        {
            held.Remove(entry.Name);
        }
    }

    private void Take(string folder)
    {
        if (!long.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return;
        }

        lastNumber = Math.Max(lastNumber, number);
        var description = JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(folder, "layer.json")), LayerJson.Default.LayerDescription)
            ?? throw new ImageException(ImageErrorKind.Corrupt, $"The layer in {folder} does not say which it is: remove that folder and pull its image again.");
        known.TryAdd(description.DiffId, new UnpackedLayer(description.DiffId, number, Path.Combine(folder, LayerStaging.FilesName), description.SizeBytes));
    }
}

/// <summary>A layer that can be mounted.</summary>
/// <param name="DiffId">The digest of its tar.</param>
/// <param name="Number">Its folder's name.</param>
/// <param name="FilesPath">Its tree, with overlayfs's marks.</param>
/// <param name="SizeBytes">Length of its files.</param>
internal sealed record UnpackedLayer(Digest DiffId, long Number, string FilesPath, long SizeBytes);

/// <summary>A folder in which a layer is made or taken apart; what is still there when it is disposed is removed.</summary>
internal sealed class LayerStaging(string folder) : IDisposable
{
    public const string FilesName = "fs";

    public string Folder { get; } = folder;

    public string FilesPath => Path.Combine(Folder, FilesName);

    public void Dispose()
    {
        if (Directory.Exists(Folder))
        {
            using var parent = HeldFolder.Open(Path.GetDirectoryName(Folder)!);
            parent.Remove(Encoding.UTF8.GetBytes(Path.GetFileName(Folder)));
        }
    }
}

internal sealed record LayerDescription
{
    public required Digest DiffId { get; init; }

    public required long SizeBytes { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LayerDescription))]
[JsonSerializable(typeof(ContainerDescription))]
internal sealed partial class LayerJson : JsonSerializerContext;
