using System.Collections.Concurrent;
using System.Text.Json;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Node.Pulling;
using Godwit.Volumes;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Guests;

/// <summary>How far a guest's files of images are.</summary>
internal enum ImageStanding
{
    /// <summary>All there, since before it was asked.</summary>
    Here,

    /// <summary>All there, fetched just now.</summary>
    Fetched,
    UnderWay,

    /// <summary>Under way since this call.</summary>
    Begun,
}

/// <summary>
/// The files that guests of this node have from images of layers: pulled, taken out, checked, kept for as long as a guest uses them.
/// <code>
///   object  ──names──▶  image in the store  ──OpenFile──▶  file by SHA-256  ──Give──▶  the machine's own names, with a record
///   source  ──digests──▶       "                               "                       "
///           (a guest that boots: by name and policy;  one that comes: just what it has at its source, by digest)
/// </code>
/// Fetching takes as long as it takes, so it goes on beside everything else, and whoever asked is woken. From the record on, which is written before
/// anything of the guest is made, this incarnation has these files and no others, whatever its images' names come to mean: after an agent's
/// restart, suspended, and on every node that it moves to.
/// </summary>
internal sealed partial class GuestImages : IDisposable
{
    private const int FetchesAtOnce = 2;

    /// <summary>What was fetched and not asked for again is not kept longer: the move was called off.</summary>
    private static readonly TimeSpan KeptUnasked = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan TidyInterval = TimeSpan.FromMinutes(1);

    private readonly ImageFileStore files;
    private readonly Volumes.ImageStore folder;
    private readonly GuestImageFetcher fetcher;
    private readonly Func<MachineId, bool> isThere;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly SemaphoreSlim turns = new(FetchesAtOnce);
    private readonly ConcurrentDictionary<MachineId, ImageFetch> fetches = new();

    /// <param name="places">The node's images, the files that are kept of them, and the images folder.</param>
    /// <param name="secrets">Credentials for registries.</param>
    /// <param name="isThere">Whether this host has anything of a machine of this id.</param>
    public GuestImages(ImagePlaces places, ResourceClient<Secret> secrets, Func<MachineId, bool> isThere, TimeProvider time, ILogger logger)
    {
        (files, folder) = (places.Files, places.Folder);
        fetcher = new GuestImageFetcher(places, secrets, logger);
        (this.isThere, this.time, this.logger) = (isThere, time, logger);
    }

    /// <summary>Removes what nobody uses, now and then, until cancelled; then ends what is under way.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                Tidy();
                await Task.Delay(TidyInterval, time, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            var ending = fetches.Keys.Select(id => fetches.TryRemove(id, out var fetch) ? fetch.EndAsync() : Task.CompletedTask).ToList();
            await Task.WhenAll(ending);
        }
    }

    public void Dispose() => turns.Dispose();

    public bool IsFetching(MachineId id) => fetches.TryGetValue(id, out var fetch) && !fetch.Work.IsCompleted;

    /// <summary>Whether an image of this name is one of layers, from which files are taken; else it is a folder, whose files are used where they lie.</summary>
    public bool IsLayered(string image)
    {
        try
        {
            return GuestImageNames.IsPulled(image) || folder.FindLayout(image) is not null;
        }
        catch (VolumeException)
        {
            return false; // No name of an image: whoever opens it says so.
        }
    }

    /// <summary>Which of a guest's files are taken out of layers.</summary>
    public IReadOnlyList<GuestImageWish> WishesOf(GuestBlueprint blueprint) => GuestImageWish.Of(blueprint, IsLayered);

    /// <summary>What a machine has; empty: nothing, or only files of the images folder.</summary>
    /// <exception cref="VolumeException">The disk refused.</exception>
    public IReadOnlyList<GuestImageFile> RecordOf(MachineId id)
    {
        try
        {
            return files.RecordOf(id.ToString()) is { } json ? JsonSerializer.Deserialize(json, GuestImageJson.Default.GuestImageRecord)?.Files ?? [] : [];
        }
        catch (JsonException damage)
        {
            throw new VolumeException($"cannot read which images the machine {id} has", damage);
        }
    }

    /// <summary>Sees to it that all files of a guest that is to boot are here.</summary>
    /// <param name="woken">Called when a fetch ends, however.</param>
    /// <exception cref="GuestImageException">The last fetch failed; the next call begins another.</exception>
    public ImageStanding Want(VirtualMachineInstance guest, GuestBlueprint blueprint, Action<MachineId> woken)
    {
        var wishes = WishesOf(blueprint);
        if (wishes.Count == 0 || RecordOf(blueprint.Id).Count > 0)
        {
            return ImageStanding.Here;
        }

        return Look(blueprint.Id, woken, stopping => fetcher.FetchAsync(guest.Metadata.Namespace, wishes, stopping));
    }

    /// <summary>Sees to it that the files of a guest that is to come are here, just as its source has them.</summary>
    /// <param name="had">What it has there.</param>
    /// <param name="isNeeded">Whether the guest cannot come without this one.</param>
    /// <exception cref="GuestImageException">One that is needed cannot be had; the next call tries again.</exception>
    public ImageStanding WantAs(VirtualMachineInstance guest, GuestBlueprint blueprint, IReadOnlyList<GuestImageFile> had, Func<GuestImageFile, bool> isNeeded)
    {
        var wishes = WishesOf(blueprint).ToDictionary(wish => wish.Slot, StringComparer.Ordinal);
        var wanted = had.Select(file => wishes.GetValueOrDefault(file.Slot) is { } wish && wish.Image == file.Image && wish.Use == file.Use
            ? (file, wish)
            : throw new GuestImageException("InvalidImage", $"{file} is nothing that the guest's object asks {file.Slot} to be on this node")).ToList();
        return Look(blueprint.Id, _ => { }, stopping => fetcher.FetchAsAsync(guest.Metadata.Namespace, wanted, isNeeded, stopping));
    }

    /// <summary>What was fetched for a guest that is to come and has no machine yet.</summary>
    public IReadOnlyList<GuestImageFile> FetchedFor(MachineId id) =>
        fetches.TryGetValue(id, out var fetch) && fetch.Work.IsCompletedSuccessfully ? [.. fetch.Work.Result.Select(got => got.File)] : [];

    /// <summary>
    /// Gives a machine what was fetched for it, whose place is reserved; from then on it has these. One that has some already keeps them. What is missing was
    /// not fetched (by this agent): whoever needs it says so.
    /// </summary>
    /// <exception cref="VolumeException">The disk refused.</exception>
    public IReadOnlyDictionary<string, GuestImageFile> Give(MachineId id, uint userId)
    {
        var record = RecordOf(id);
        if (record.Count == 0 && fetches.TryGetValue(id, out var fetch) && fetch.Work.IsCompletedSuccessfully && fetch.Work.Result.Count > 0)
        {
            record = [.. fetch.Work.Result.Select(got => got.File)];
            files.Give(
                id.ToString(),
                userId,
                fetch.Work.Result.ToDictionary(got => got.File.Slot, got => got.Lease, StringComparer.Ordinal),
                JsonSerializer.SerializeToUtf8Bytes(new GuestImageRecord(record), GuestImageJson.Default.GuestImageRecord));
            Forget(id);
        }

        return record.ToDictionary(file => file.Slot, StringComparer.Ordinal);
    }

    /// <summary>Where the machine's QEMU finds it.</summary>
    public string PathOf(MachineId id, GuestImageFile file) => files.PathFor(id.ToString(), file.Slot);

    /// <summary>Nobody waits any more for what is, or was, fetched for this machine.</summary>
    public void Forget(MachineId id)
    {
        if (fetches.TryRemove(id, out var fetch))
        {
            _ = fetch.EndAsync();
        }
    }

    /// <summary>The machine is gone.</summary>
    public void Release(MachineId id)
    {
        Forget(id);
        Quietly(() => files.Release(id.ToString()));
    }

    private void Tidy()
    {
        foreach (var (id, fetch) in fetches.Where(pair => pair.Value.Work.IsCompleted && time.GetUtcNow() - pair.Value.AskedAt > KeptUnasked))
        {
            Forget(id);
        }

        Quietly(() => files.Collect(name => Guid.TryParseExact(name, "D", out var id) && isThere(new MachineId(id))));
    }

    private void Quietly(Action change)
    {
        try
        {
            change();
        }
        catch (VolumeException error)
        {
            Log.NotTidied(logger, ErrorChain.Describe(error)); // The next time will do.
        }
    }

    private ImageStanding Look(MachineId id, Action<MachineId> woken, Func<CancellationToken, Task<IReadOnlyList<FetchedFile>>> work)
    {
        if (fetches.TryGetValue(id, out var fetch))
        {
            fetch.AskedAt = time.GetUtcNow();
            if (!fetch.Work.IsCompleted)
            {
                return ImageStanding.UnderWay;
            }

            if (fetch.Work.IsCompletedSuccessfully)
            {
                return ImageStanding.Fetched;
            }

            fetches.TryRemove(id, out _);
            fetch.Dispose();
            throw fetch.Work.Exception?.InnerException as GuestImageException
                ?? new GuestImageException("ErrImagePull", "The guest's images could not be fetched", fetch.Work.Exception?.InnerException);
        }

        var begun = new ImageFetch(turns, work, () => woken(id)) { AskedAt = time.GetUtcNow() };
        if (!fetches.TryAdd(id, begun))
        {
            _ = begun.EndAsync();
            return ImageStanding.UnderWay;
        }

        begun.Begin();
        return ImageStanding.Begun;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2151, Level = LogLevel.Warning, Message = "Files of images could not be tidied up, it will be tried again: {Reason}")]
        public static partial void NotTidied(ILogger logger, string reason);
    }
}

/// <summary>Where images and what was taken out of them lie on a node.</summary>
internal sealed record ImagePlaces(NodeImages Images, ImageFileStore Files, Volumes.ImageStore Folder);

/// <summary>A file of an image that is kept here.</summary>
internal sealed record FetchedFile(GuestImageFile File, ImageFileLease Lease);
