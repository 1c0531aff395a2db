using System.Globalization;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Images;
using Godwit.Oci;

namespace Godwit.DockerApi.Mapping;

/// <summary>Images as clients see them, and the progress of what is done to them. Pure.</summary>
internal static class ImageWriter
{
    public static ImageListEntry List(StoredImage image, int containers) => new()
    {
        Id = image.Id.ToString(),
        ParentId = image.Parent?.ToString() ?? "",
        RepoTags = [.. image.Tags.Select(tag => tag.ToString())],
        RepoDigests = [.. image.RepositoryDigests.Select(name => name.ToString())],
        Created = image.Config.Created?.ToUnixTimeSeconds() ?? 0,
        Size = image.SizeBytes,
        VirtualSize = image.SizeBytes,
        Labels = image.Config.Config?.Labels,
        Containers = containers,
    };

    public static ImageInspection Inspect(StoredImage image) => new()
    {
        Id = image.Id.ToString(),
        RepoTags = [.. image.Tags.Select(tag => tag.ToString())],
        RepoDigests = [.. image.RepositoryDigests.Select(name => name.ToString())],
        Parent = image.Parent?.ToString() ?? "",
        Comment = image.Config.History is [.., var last] ? last.Comment ?? "" : "",
        Created = image.Config.Created is { } created ? Moments.Write(created) : null,
        Author = image.Config.Author ?? "",
        Config = image.Config.Config ?? new ImageDefaults(),
        Architecture = image.Config.Architecture,
        Variant = image.Config.Variant,
        Os = image.Config.OperatingSystem,
        Size = image.SizeBytes,
        VirtualSize = image.SizeBytes,
        RootFS = new RootFsBody("layers", [.. image.Layers.Select(layer => layer.DiffId.ToString())]),
        Metadata = new ImageMetadata(Moments.Write(image.TaggedAt)),
    };

    /// <summary>The newest step first. Only the last is an image of its own; parents are where this host built them.</summary>
    public static IReadOnlyList<HistoryAnswer> History(StoredImage image, Func<Digest, StoredImage?> find)
    {
        var steps = new List<HistoryAnswer>();
        var layer = 0;
        foreach (var entry in image.Config.History ?? [])
        {
            var size = entry.EmptyLayer || layer >= image.Layers.Count ? 0 : image.Layers[layer++].SizeBytes;
            steps.Add(new HistoryAnswer("<missing>", entry.Created?.ToUnixTimeSeconds() ?? 0, entry.CreatedBy ?? "", null, size, entry.Comment ?? ""));
        }

        steps.Reverse();
        var known = image;
        for (var at = 0; at < steps.Count && known is not null; at++)
        {
            steps[at] = steps[at] with { Id = known.Id.ToString(), Tags = known.Tags.Count > 0 ? [.. known.Tags.Select(tag => tag.ToString())] : null };
            known = known.Parent is { } parent ? find(parent) : null;
        }

        return steps;
    }

    public static ImageRemovalEntry Removal(ImageRemoval step) => step switch
    {
        ImageRemoval.Untagged untagged => new ImageRemovalEntry { Untagged = untagged.Name.ToString() },
        ImageRemoval.Deleted deleted => new ImageRemovalEntry { Deleted = deleted.Id.ToString() },
        _ => throw new InvalidOperationException($"a removal has no words: {step}"),
    };

    /// <summary>A step of a pull or push, in the words that clients draw their bars by; null for one that they have no word for.</summary>
    public static ProgressLine? Progress(TransferProgress step)
    {
        if (step.Item is not { } item)
        {
            return null;
        }

        var status = step.Stage switch
        {
            TransferStage.Waiting => "Waiting",
            TransferStage.Shared => "Pulling fs layer",
            TransferStage.Downloading => "Downloading",
            TransferStage.Retrying => "Retrying",
            TransferStage.Downloaded => "Download complete",
            TransferStage.Extracting => "Extracting",
            TransferStage.Complete => "Pull complete",
            TransferStage.Present => "Already exists",
            TransferStage.Preparing => "Preparing",
            TransferStage.Uploading => "Pushing",
            TransferStage.Uploaded => "Pushed",
            TransferStage.Mounted => "Mounted from another repository",
            _ => null,
        };
        var counted = step.Stage is TransferStage.Downloading or TransferStage.Extracting or TransferStage.Uploading;
        return status is null ? null : new ProgressLine
        {
            Status = status,
            Id = item.Short,
            ProgressDetail = new ProgressDetail { Current = counted ? step.CurrentBytes : null, Total = counted ? step.TotalBytes : null },
            Progress = counted ? Bar(step.CurrentBytes, step.TotalBytes) : null,
        };
    }

    private static string Bar(long current, long? total)
    {
        const int width = 50;
        if (total is not > 0)
        {
            return Megabytes(current);
        }

        var done = (int)Math.Clamp(current * width / total.Value, 0, width);
        return $"[{new string('=', Math.Max(0, done - 1))}{(done > 0 ? ">" : "")}{new string(' ', width - done)}]  {Megabytes(current)}/{Megabytes(total.Value)}";
    }

    private static string Megabytes(long bytes) => bytes switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{bytes}B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.###}kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.###}MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.###}GB"),
    };
}
