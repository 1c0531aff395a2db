using Godwit.Images;
using Godwit.Images.Layers;
using Godwit.Linux.Processes;
using Godwit.Oci;

namespace Godwit.Containers;

/// <summary>Root file systems over the layers of images.</summary>
/// <param name="folder">The image store's own folder.</param>
/// <param name="images">The store.</param>
public sealed class ImageRootFileSystems(string folder, ImageStore images) : IRootFileSystems
{
    public string Folder => folder;

    public async Task CreateAsync(ContainerId id, string imageId, long? sizeBytesMax, CancellationToken stopping)
    {
        try
        {
            var layer = await images.Layers.PrepareAsync(images.Get(imageId), id.Value, sizeBytesMax, stopping);
            // It may never run; it is mounted again when it does.
            layer.Unmount();
        }
        catch (ImageException missing) when (missing.Kind is ImageErrorKind.NotFound)
        {
            throw new NotThereException($"No such image: {imageId}", missing);
        }
    }

    public Task<string> MountAsync(ContainerId id, UserNamespace? seenBy, CancellationToken stopping)
    {
        var layer = Get(id);
        layer.Mount(seenBy);
        return Task.FromResult(layer.RootPath);
    }

    public Task UnmountAsync(ContainerId id, CancellationToken stopping)
    {
        images.Layers.Find(id.Value)?.Unmount();
        return Task.CompletedTask;
    }

    public Task RemoveAsync(ContainerId id, CancellationToken stopping)
    {
        images.Layers.Find(id.Value)?.Remove();
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<FileChange>> ListChangesAsync(ContainerId id, CancellationToken stopping) => Task.FromResult(Get(id).Changes());

    public Task<long> MeasureAsync(ContainerId id, CancellationToken stopping) => Task.Run(() => Get(id).UsageBytes(stopping), stopping);

    public async Task<string> CommitAsync(ContainerSnapshot container, CommitRequest request, CancellationToken stopping)
    {
        var layer = await Get(container.Id).CommitAsync(stopping);
        var made = await images.CreateAsync(
            new ImageStep
            {
                Parent = images.Find(container.Spec.ImageId),
                Layer = layer?.DiffId,
                Config = request.Config ?? SpecDefaults.ToImage(container.Spec),
                History = new HistoryEntry
                {
                    Author = request.Author.Length > 0 ? request.Author : null,
                    Comment = request.Comment.Length > 0 ? request.Comment : null,
                    CreatedBy = string.Join(' ', container.Spec.Process.Arguments),
                },
                Author = request.Author.Length > 0 ? request.Author : null,
                Name = request.Name,
            },
            stopping);
        return made.Id.ToString();
    }

    private ContainerLayer Get(ContainerId id) => images.Layers.Find(id.Value) ?? throw new NotThereException($"the files of container {id.Short} are gone");
}
