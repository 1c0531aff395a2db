using Godwit.Builder.Building;
using Godwit.Images;
using Godwit.Linux;

namespace Godwit.Builder;

/// <summary>
/// Builds images from Dockerfiles. Only the stages that the target needs are built, those that do not need each other at the
/// same time. A step whose inputs are known from before is not carried out again: its key is the digest of its base, its text
/// and the contents it copies, so what changes neither costs nothing.
/// <code>
///   Dockerfile ─▶ stages ─▶ needed ones, in parallel ─▶ step: key ─▶ known? ─▶ image
///                                                              └─ no: RUN in a container, COPY into a root ─▶ layer ─▶ image
/// </code>
/// </summary>
public sealed class ImageBuilder
{
    private readonly BuildParts parts;

    /// <param name="images">Where images are and go.</param>
    /// <param name="runner">Carries out RUN.</param>
    /// <param name="folder">The builder's own, for the cache; made if missing.</param>
    /// <param name="time">The clock for the images' dates.</param>
    public ImageBuilder(ImageStore images, IStepRunner runner, string folder, TimeProvider time)
    {
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        parts = new BuildParts(images, runner, new BuildCache(Path.Combine(folder, "steps")), folder, time);
    }

    /// <summary>Builds, and gives the image its names.</summary>
    /// <exception cref="BuildException">The Dockerfile is wrong, or a step failed.</exception>
    /// <exception cref="ImageException">An image cannot be had or made.</exception>
    public async Task<StoredImage> BuildAsync(BuildRequest request, IProgress<BuildEvent> progress, CancellationToken stopping)
    {
        var session = new BuildSession(request, parts, progress);
        using var halt = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var building = session.Needed.Select(stage => session.ResultAsync(stage, halt.Token)).ToList();
        try
        {
            await foreach (var done in Task.WhenEach(building))
            {
                await done; // The first failure ends the others.
            }
        }
        catch (LinuxException refusal)
        {
            throw new BuildException("The build's files cannot be worked with.", 0, refusal);
        }
        finally
        {
            await halt.CancelAsync();
            await Task.WhenAll(building).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }

        var image = (await session.ResultAsync(session.Target, stopping)).Image ?? throw new BuildException("No image was generated: the stage has no steps and begins with nothing.");
        foreach (var name in request.Names)
        {
            parts.Images.Tag(image.Id, name.WithDefaultTag());
        }

        parts.Cache.Prune(all: false);
        progress.Report(new BuildEvent.Built(image.Id, request.Names));
        return parts.Images.Get(image.Id.ToString());
    }

    /// <summary>Forgets what steps have made. The images stay until they are pruned.</summary>
    /// <returns>How many steps were forgotten.</returns>
    public int PruneCache() => parts.Cache.Prune(all: true);
}
