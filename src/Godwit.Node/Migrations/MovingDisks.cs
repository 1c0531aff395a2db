using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Node.Guests;
using Godwit.Node.Peers;
using Godwit.Volumes;

namespace Godwit.Node.Migrations;

/// <summary>A disk that goes along with a guest, as both ends agreed on it before the move began.</summary>
/// <param name="Index">Its place among the guest's disks.</param>
/// <param name="VirtualSizeBytes">As the guest sees it.</param>
/// <param name="ImageDigest">SHA-256 of the image that both hosts have below it, so that only the layer over it is copied; null: all of it is copied.</param>
internal sealed record MovedDisk(int Index, long VirtualSizeBytes, string? ImageDigest);

/// <summary>What the source asks of the target about disks before a move begins.</summary>
internal sealed record DiskQuestion(IReadOnlyList<AskedDisk> Disks)
{
    public Guid Machine { get; init; }

    public string GuestNamespace { get; init; } = "";

    public string GuestName { get; init; } = "";

    /// <summary>What the guest has out of images of layers, kernels among it: the target is to have the same, and fetches it.</summary>
    public IReadOnlyList<GuestImageFile> Images { get; init; } = [];
}

/// <param name="Name">The user's, for words.</param>
/// <param name="Image">The image's name; null: there is none below it.</param>
/// <param name="ImageDigest">Null: it cannot be said any more which image it was.</param>
/// <param name="LayerBytes">Room for the layer alone.</param>
/// <param name="WholeBytes">Room for all, image included.</param>
/// <param name="IsReadOnly">It cannot be copied to where it is only read: so the target must have the image.</param>
internal sealed record AskedDisk(string Name, string? Image, string? ImageDigest, long LayerBytes, long WholeBytes, bool IsReadOnly)
{
    /// <summary>Which of <see cref="DiskQuestion.Images"/> is below it; null: none, or an image of the images folder.</summary>
    public string? Slot { get; init; }
}

/// <param name="HasImage">For each disk, whether the target has the very image.</param>
/// <param name="Refusal">Why the disks cannot come; null: they can.</param>
internal sealed record DiskAnswer(IReadOnlyList<bool> HasImage, string? Refusal)
{
    /// <summary>The target fetches images; ask again.</summary>
    public bool IsFetching { get; init; }
}

/// <summary>A move can begin when something has come that was asked for. Nothing was touched.</summary>
internal sealed class MoveNotYetException(string message) : Exception(message);

/// <summary>Which disks of a guest go along, and whether the other host has room for them: preflight, before anything is touched.</summary>
internal sealed class MovingDisks(MoveParts parts)
{
    /// <summary>The disks that are this host's alone, after the target agreed to take them.</summary>
    /// <exception cref="MoveRefusedException">They cannot go along, and why.</exception>
    /// <exception cref="MoveNotYetException">The target fetches the guest's images.</exception>
    public async Task<IReadOnlyList<MovedDisk>> AgreeAsync(VirtualMachineInstance guest, IMachine machine, PeerEndpoint target, CancellationToken stopping)
    {
        var looked = await LookAllAsync(guest, machine, blueprint => new SharedDisks(parts).RequireAsync(blueprint, target, stopping), stopping);

        // A disk that once was copied here whole has no image below it any more.
        var used = parts.Builder.Images.RecordOf(machine.Spec.Id).Where(file => file.Use is not GuestImageUse.Disk || looked.Any(entry => entry.Asked.Slot == file.Slot)).ToList();
        return looked.Count == 0 && used.Count == 0 ? [] : await AskAsync(looked, Question(guest, machine, looked) with { Images = used }, target, stopping);
    }

    /// <summary>The disks that would go along, for a forecast: nothing is touched, and nothing fetched. A target that would not take them, or does not say, is taken to have none of their images.</summary>
    /// <exception cref="MoveRefusedException">They could not go along, whatever the target.</exception>
    public async Task<IReadOnlyList<MovedDisk>> ExpectAsync(VirtualMachineInstance guest, IMachine machine, PeerEndpoint target, CancellationToken stopping)
    {
        var looked = await LookAllAsync(guest, machine, _ => Task.CompletedTask, stopping);
        try
        {
            return looked.Count == 0 ? [] : await AskAsync(looked, Question(guest, machine, looked), target, stopping);
        }
        catch (MoveRefusedException)
        {
            return [.. looked.Where(entry => !entry.Asked.IsReadOnly).Select(entry => new MovedDisk(entry.Index, entry.Disk.VirtualSizeBytes, null))];
        }
    }

    private static DiskQuestion Question(VirtualMachineInstance guest, IMachine machine, IReadOnlyList<(int Index, UsedDisk Disk, AskedDisk Asked)> looked) => new([.. looked.Select(entry => entry.Asked)])
    {
        Machine = machine.Spec.Id.Value,
        GuestNamespace = guest.Metadata.Namespace,
        GuestName = guest.Metadata.Name,
    };

    /// <summary>What mirrors of these will read: what is stored of the layer, and of the image below where it goes along.</summary>
    public static long BytesOf(IReadOnlyList<MachineDisk> machineDisks, IReadOnlyList<MovedDisk> moved) => moved.Sum(entry =>
    {
        try
        {
            var disk = machineDisks[entry.Index];
            var layerBytes = UsedDisk.Look(disk.Path, disk.Format).AllocatedBytes;
            var imageBytes = entry.ImageDigest is null && disk.Backing is { } backing
                ? File.Exists(backing.Path) ? Linux.Files.FileIdentity.FindAllocatedBytes(backing.Path) : entry.VirtualSizeBytes
                : 0;
            return Math.Min(entry.VirtualSizeBytes, layerBytes + imageBytes);
        }
        catch (Exception error) when (error is VolumeException or Linux.LinuxException or IOException)
        {
            return entry.VirtualSizeBytes; // It cannot be looked at; it is no more than that.
        }
    });

    private async Task<List<(int Index, UsedDisk Disk, AskedDisk Asked)>> LookAllAsync(
        VirtualMachineInstance guest, IMachine machine, Func<GuestBlueprint, Task> first, CancellationToken stopping)
    {
        var facts = await parts.Host.GetFactsAsync(stopping);
        if (BlueprintReader.Read(guest, facts, out _) is not { } blueprint || blueprint.Disks.Count != machine.Spec.Disks.Count)
        {
            throw new MoveRefusedException("the guest's object does not describe the disks that its machine has");
        }

        await first(blueprint);
        try
        {
            var images = parts.Builder.Images.RecordOf(machine.Spec.Id);
            var looked = new List<(int Index, UsedDisk Disk, AskedDisk Asked)>();
            for (var index = 0; index < machine.Spec.Disks.Count; index++)
            {
                if (blueprint.Disks[index].Source is DiskSource.Image or DiskSource.Empty)
                {
                    var below = images.FirstOrDefault(file => file.Slot == GuestImageWish.DiskSlot(index));
                    var (disk, asked) = await LookAsync(machine.Spec.Disks[index], blueprint.Disks[index].Source as DiskSource.Image, below, stopping);
                    looked.Add((index, disk, asked));
                }
            }

            return looked;
        }
        catch (VolumeException error)
        {
            throw new MoveRefusedException($"the guest's disks cannot go along: {ErrorChain.Describe(error)}");
        }
    }

    /// <summary>The target's side.</summary>
    public async Task<DiskAnswer> AnswerAsync(DiskQuestion question, CancellationToken stopping)
    {
        IReadOnlyList<GuestImageFile> fetched = [];
        if (question.Images.Count > 0)
        {
            try
            {
                if (await WantImagesAsync(question, stopping) is ImageStanding.Begun or ImageStanding.UnderWay)
                {
                    return new([], null) { IsFetching = true };
                }
            }
            catch (Exception error) when (error is GuestImageException or VolumeException)
            {
                return new([], $"ImageMissing: {parts.Node} cannot have what the guest began with: {ErrorChain.Describe(error)}");
            }

            fetched = parts.Builder.Images.FetchedFor(new MachineId(question.Machine));
        }

        var has = new List<bool>();
        long neededBytes = 0;
        foreach (var disk in question.Disks)
        {
            var same = disk.Image is not null && disk.ImageDigest is not null
                && (disk.Slot is not null ? fetched.Any(file => file.Slot == disk.Slot && file.Digest == disk.ImageDigest) : await parts.Builder.DigestOfImageAsync(disk.Image, stopping) == disk.ImageDigest);
            if (!same && disk.IsReadOnly)
            {
                return new([], $"ImageMissing: {parts.Node} does not have the image {disk.Image} of the read-only disk {disk.Name} as the source has it");
            }

            has.Add(same);
            neededBytes = checked(neededBytes + Math.Max(0, same ? disk.LayerBytes : disk.WholeBytes));
        }

        try
        {
            DiskSpace.Require(Path.Combine(parts.DataFolder, "machines"), neededBytes, "the guest's disks");
            return new(has, null);
        }
        catch (VolumeException error)
        {
            return new([], $"NoRoomForDisks: on {parts.Node}: {error.Message}");
        }
    }

    /// <summary>The target fetches no more than the guest's object asks for, and of that just what the source says it has.</summary>
    private async Task<ImageStanding> WantImagesAsync(DiskQuestion question, CancellationToken stopping)
    {
        var key = new ResourceKey(question.GuestNamespace, question.GuestName);
        var guest = parts.Guests.Current.Find(key) ?? await parts.Cluster.For<VirtualMachineInstance>().FindAsync(key, stopping);
        return guest?.Metadata.Uid == new MachineId(question.Machine).ToString() && BlueprintReader.Read(guest, await parts.Host.GetFactsAsync(stopping), out _) is { } blueprint
            ? parts.Builder.Images.WantAs(guest, blueprint, question.Images, file => file.Use is not GuestImageUse.Disk || question.Disks.Any(disk => disk.Slot == file.Slot && disk.IsReadOnly))
            : throw new GuestImageException("InvalidImage", $"the server has no guest {key} with that identity that could run here");
    }

    private async Task<(UsedDisk Disk, AskedDisk Asked)> LookAsync(MachineDisk disk, DiskSource.Image? image, GuestImageFile? below, CancellationToken stopping)
    {
        var used = UsedDisk.Look(disk.Path, disk.Format);
        var digest = image is null || disk.Backing is not { } backing || !FileIdentityIs(backing) ? null
            : below?.Digest ?? await parts.Builder.DigestOfImageAsync(image.Reference, stopping);

        // An image that was replaced is not there to be measured any more; then the whole of what the guest sees is the bound.
        var imageBytes = image is null ? 0 : digest is null ? used.VirtualSizeBytes : Linux.Files.FileIdentity.FindAllocatedBytes(disk.Backing!.Path);
        return (used, new(disk.Name, image?.Reference, digest, used.AllocatedBytes, used.AllocatedBytes + imageBytes, disk.ReadOnly) { Slot = digest is null ? null : below?.Slot });
    }

    private static bool FileIdentityIs(DiskBacking backing) => File.Exists(backing.Path) && FileStamp.Of(backing.Path) == backing.Stamp;

    private async Task<IReadOnlyList<MovedDisk>> AskAsync(List<(int Index, UsedDisk Disk, AskedDisk Asked)> looked, DiskQuestion question, PeerEndpoint target, CancellationToken stopping)
    {
        DiskAnswer answer;
        try
        {
            answer = await parts.Links.RequestAsync(target, MoveMethods.Disks, question, stopping);
        }
        catch (Exception error) when (error is PeerException or PeerRefusedException)
        {
            throw new MoveRefusedException($"the agent of {target.Node} was asked whether the guest's disks may come, and did not say: {ErrorChain.Describe(error)}");
        }

        if (answer.IsFetching)
        {
            throw new MoveNotYetException($"{target.Node} fetches the guest's images: the move begins when they are there.");
        }

        if (answer.Refusal is not null || answer.HasImage.Count != looked.Count)
        {
            throw new MoveRefusedException(answer.Refusal ?? $"{target.Node} did not answer for every disk");
        }

        return
        [
            .. looked.Zip(answer.HasImage)
                .Where(pair => !pair.First.Asked.IsReadOnly)
                .Select(pair => new MovedDisk(pair.First.Index, pair.First.Disk.VirtualSizeBytes, pair.Second ? pair.First.Asked.ImageDigest : null)),
        ];
    }
}
