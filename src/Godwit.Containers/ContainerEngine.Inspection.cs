using Godwit.Containers.Copying;
using Godwit.Containers.Runtime;
using Godwit.Containers.Stats;
using Godwit.Images.Layers;
using Godwit.Linux.Commands;
using Godwit.Linux.ControlGroups;

namespace Godwit.Containers;

/// <summary>Looking into containers, and files in and out of them.</summary>
public sealed partial class ContainerEngine
{
    /// <summary>Its processes, in the words of ps(1).</summary>
    /// <param name="container">Which; it must run.</param>
    /// <param name="arguments">For ps, such as <c>-ef</c> or <c>-o pid,comm</c>; the column PID must be among the titles.</param>
    /// <param name="stopping">Cancels.</param>
    public async Task<ProcessTable> ListProcessesAsync(string container, IReadOnlyList<string> arguments, CancellationToken stopping)
    {
        var found = Find(container);
        found.RequireAlive("list its processes");
        if (arguments.FirstOrDefault(argument => !argument.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or ',' or '=' or '_' or '%' or ':')) is { } strange)
        {
            throw new InvalidRequestException($"'{strange}' is no argument for ps");
        }

        var inside = (await parts.Crun.ListProcessesAsync(found.Id, stopping)).ToHashSet();
        try
        {
            return ProcessListing.Parse(await new Command("ps", arguments.Count > 0 ? arguments : ["-ef"]).RunAsync(parts.Time, stopping), inside);
        }
        catch (CommandException refusal)
        {
            throw new InvalidRequestException($"ps does not understand {string.Join(' ', arguments)}", refusal);
        }
    }

    /// <summary>Whether the kernel counts swap; where it does not, a bound on memory holds without one on swap.</summary>
    public bool CountsSwap => parts.Host.CountsSwap;

    /// <summary>What of these bounds cannot be held on this host, a sentence for people each; it is left out.</summary>
    public IReadOnlyList<string> FindUnheld(ResourceSpec resources) => ResourcePlan.FindUnheld(resources, parts.Host, BlockIoWeights.DecideSomething());

    /// <summary>What it uses now; zeroes for one that does not run.</summary>
    public ContainerUsage ReadUsage(string container)
    {
        var found = Find(container);
        return UsageReader.Read(found, parts);
    }

    /// <summary>How its files differ from its image's.</summary>
    public Task<IReadOnlyList<FileChange>> ListChangesAsync(string container, CancellationToken stopping) => parts.Roots.ListChangesAsync(Find(container).Id, stopping);

    /// <summary>Length of the files that it wrote.</summary>
    public Task<long> MeasureAsync(string container, CancellationToken stopping) => parts.Roots.MeasureAsync(Find(container).Id, stopping);

    /// <summary>An image out of its files; returns the image's id.</summary>
    public async Task<string> CommitAsync(string container, CommitRequest request, CancellationToken stopping)
    {
        var found = Find(container);
        var pauses = request.Pause && found.State is ContainerState.Running;
        if (pauses)
        {
            await found.PauseAsync(stopping);
        }

        try
        {
            var image = await parts.Roots.CommitAsync(found.Snapshot(), request, stopping);
            found.Tell("commit", ("imageID", image));
            return image;
        }
        finally
        {
            if (pauses && found.State is ContainerState.Paused)
            {
                await found.UnpauseAsync(CancellationToken.None);
            }
        }
    }

    /// <summary>A file or folder in it. The last part of the path is not followed if it is a link.</summary>
    /// <exception cref="NotThereException">There is no such path.</exception>
    public async Task<PathFacts> GetPathAsync(string container, string path, CancellationToken stopping)
    {
        await using var view = await Find(container).OpenViewAsync(path, stopping);
        return Archives.Describe(view.Root, view.Within(path));
    }

    /// <summary>Writes a tar of a file or folder in it, whose entries begin with its name.</summary>
    public async Task CopyOutAsync(string container, string path, Stream output, CancellationToken stopping)
    {
        await using var view = await Find(container).OpenViewAsync(path, stopping);
        await Archives.WriteAsync(view, view.Within(path), output, stopping);
        Find(container).Tell("archive-path");
    }

    /// <summary>Unpacks a tar, compressed or not, into a folder in it. Nothing in the tar or in the container leads out of the container.</summary>
    /// <exception cref="NotThereException">There is no such folder.</exception>
    /// <exception cref="InvalidRequestException">The tar is none, or would put a file in a folder's place against the options.</exception>
    public async Task CopyInAsync(string container, string folder, Stream archive, CopyInOptions options, CancellationToken stopping)
    {
        var found = Find(container);
        if (found.Record.Spec.Isolation.ReadOnlyRoot && !found.Record.Mounts.Any(mount => !mount.ReadOnly && folder.StartsWith(mount.Target, StringComparison.Ordinal)))
        {
            throw new ConflictException("container rootfs is marked read-only");
        }

        await using var view = await found.OpenViewAsync(folder, stopping);
        await Archives.ReadAsync(view, view.Within(folder), archive, options, stopping);
        found.Tell("extract-to-dir");
    }

    /// <summary>Writes a tar of all its files, without what is mounted in it.</summary>
    public async Task ExportAsync(string container, Stream output, CancellationToken stopping)
    {
        var found = Find(container);
        await using var view = await found.OpenFilesAsync(stopping);
        await Archives.WriteTreeAsync(view, output, stopping);
        found.Tell("export");
    }
}
