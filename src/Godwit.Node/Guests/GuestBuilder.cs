using System.Globalization;
using Godwit.Api.KubeVirt.V1;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Godwit.Machines;
using Godwit.Node.Migrations;
using Godwit.Volumes;

namespace Godwit.Node.Guests;

/// <summary>The storage that guests of this host are built from.</summary>
/// <param name="Images">The images folder.</param>
/// <param name="Layered">What was taken out of images of layers.</param>
internal sealed record GuestStorage(ImageStore Images, GuestImages Layered, DiskMaker Disks, HostDisks HostDisks, CloudInitSeed Seeds);

/// <summary>
/// Makes a place for a guest on this host and starts its QEMU with the CPUs stopped: to boot, or to receive a moving
/// guest. Every step may be repeated, so a build that was cut short is simply begun again. Nothing of the guest runs
/// here; that is an order of its own.
/// </summary>
internal sealed class GuestBuilder(IMachineHost host, LocalMachines machines, IGuestNetwork network, GuestStorage storage, ICloudInitReader cloudInit)
{
    /// <summary>When neither the guest nor its image says what its kernel is told: a console that can be read.</summary>
    private const string DefaultKernelCommandLine = "console=ttyS0";

    private readonly ImageDigests digests = new();

    /// <summary>What guests have of images of layers, and what is being fetched of them.</summary>
    public GuestImages Images => storage.Layered;

    /// <summary>Sees to it that what a guest boots from is here, before it is built.</summary>
    /// <exception cref="UnsupportedGuestException">As <see cref="BuildAsync"/>.</exception>
    /// <exception cref="GuestImageException">It cannot be had now.</exception>
    public async Task<(ImageStanding Standing, string Names)> WantImagesAsync(VirtualMachineInstance instance, Action<MachineId> woken, CancellationToken stopping)
    {
        var blueprint = BlueprintReader.Read(instance, await host.GetFactsAsync(stopping), out var problems) ?? throw new UnsupportedGuestException(problems);
        var names = string.Join(", ", storage.Layered.WishesOf(blueprint).Select(wish => wish.Image).Distinct(StringComparer.Ordinal));
        return (storage.Layered.Want(instance, blueprint, woken), names);
    }

    /// <summary>Builds the guest's machine; its ports stay silent.</summary>
    /// <param name="instance">The guest's object.</param>
    /// <param name="start">To boot, or to receive a guest.</param>
    /// <param name="stopping">Leaves half a build, which may be begun again.</param>
    /// <param name="arriving">To receive: the disks whose contents the source sends.</param>
    /// <exception cref="UnsupportedGuestException">The spec asks for what this node cannot do: it will not help to try again.</exception>
    /// <exception cref="MachineException">QEMU or the host refused.</exception>
    /// <exception cref="VolumeException">A disk or image cannot be had.</exception>
    public async Task<BuiltGuest> BuildAsync(
        VirtualMachineInstance instance, MachineStart start, CancellationToken stopping, IReadOnlyList<MovedDisk>? arriving = null)
    {
        var facts = await host.GetFactsAsync(stopping);
        var blueprint = BlueprintReader.Read(instance, facts, out var problems) ?? throw new UnsupportedGuestException(problems);
        var place = await host.ReserveAsync(blueprint.Id, stopping);
        var taken = storage.Layered.Give(blueprint.Id, place.UserId);
        var kernel = blueprint.Kernel is null ? null : FindKernel(blueprint, blueprint.Kernel, taken);
        var disks = new List<MachineDisk>();
        for (var index = 0; index < blueprint.Disks.Count; index++)
        {
            var wish = blueprint.Disks[index];
            disks.Add(start is MachineStart.Incoming && wish is { ReadOnly: false, Source: DiskSource.Image or DiskSource.Empty }
                ? await MakeArrivingAsync(wish, new(index, place, taken), arriving?.SingleOrDefault(disk => disk.Index == index), stopping)
                : await MakeDiskAsync(instance, wish, new(index, place, taken), stopping));
        }

        var ports = PortsOf(blueprint);
        var nics = new List<MachineNic>();
        for (var index = 0; index < ports.Count; index++)
        {
            var tap = await network.PlugAsync(ports[index], place.UserId, stopping);
            nics.Add(new MachineNic(blueprint.Nics[index].Name, ports[index].MacAddress, tap));
        }

        await network.EnsureLeasesAsync(ports, stopping);
        var spec = new MachineSpec
        {
            Id = blueprint.Id,
            DisplayName = blueprint.DisplayName,
            CpuCount = blueprint.CpuCount,
            MemoryBytes = blueprint.MemoryBytes,
            MachineType = blueprint.MachineType,
            CpuModel = blueprint.CpuModel,
            Kernel = kernel,
            Disks = disks,
            Nics = nics,
        };
        return new BuiltGuest(await machines.CreateAsync(spec, start, stopping), ports);
    }

    /// <summary>Whether guests of this node may use a disk at this path of the host, and can.</summary>
    /// <exception cref="VolumeException">They may or can not, and why.</exception>
    public void RequireHostDisk(string path) => storage.HostDisks.Open(path);

    /// <summary>Makes the taps of a guest anew whose machine has been there before; they stay silent. Idempotent.</summary>
    public async Task PlugAsync(VirtualMachineInstance instance, CancellationToken stopping)
    {
        var blueprint = BlueprintReader.Read(instance, await host.GetFactsAsync(stopping), out var problems) ?? throw new UnsupportedGuestException(problems);
        var place = await host.ReserveAsync(blueprint.Id, stopping);
        var ports = PortsOf(blueprint);
        foreach (var port in ports)
        {
            await network.PlugAsync(port, place.UserId, stopping);
        }

        await network.EnsureLeasesAsync(ports, stopping);
    }

    /// <summary>Takes down all that <see cref="BuildAsync"/> made. Idempotent, also after half a build.</summary>
    public async Task DemolishAsync(MachineId id, CancellationToken stopping)
    {
        // Side by side, for the kernel takes its time with each, and a move ends with this: a guest that is to be gone needs no network.
        await Task.WhenAll(machines.RemoveAsync(id, stopping), network.UnplugAsync(id, stopping));
        storage.Layered.Release(id);
    }

    /// <summary>The ports of a guest that was built before, from its object alone; empty when the object does not say.</summary>
    public async Task<IReadOnlyList<GuestPort>> PortsOfAsync(VirtualMachineInstance instance, CancellationToken stopping) =>
        BlueprintReader.Read(instance, await host.GetFactsAsync(stopping), out _) is { } blueprint ? PortsOf(blueprint) : [];

    private static List<GuestPort> PortsOf(GuestBlueprint blueprint) =>
        [.. blueprint.Nics.Select((nic, index) => new GuestPort(blueprint.Id, index, nic.MacAddress, nic.Address))];

    private DirectKernel FindKernel(GuestBlueprint blueprint, KernelWish wish, IReadOnlyDictionary<string, GuestImageFile> taken)
    {
        if (storage.Layered.IsLayered(wish.Image))
        {
            var file = taken.GetValueOrDefault(GuestImageWish.KernelSlot) ?? throw NotHere(wish.Image);
            var memoryDisk = string.IsNullOrEmpty(wish.InitrdPath) ? null : taken.GetValueOrDefault(GuestImageWish.InitrdSlot) ?? throw NotHere(wish.Image);
            return new DirectKernel(
                storage.Layered.PathOf(blueprint.Id, file), memoryDisk is null ? null : storage.Layered.PathOf(blueprint.Id, memoryDisk), wish.CommandLine ?? DefaultKernelCommandLine);
        }

        var image = storage.Images.Open(wish.Image);
        var kernel = string.IsNullOrEmpty(wish.KernelPath) ? image.KernelPath : image.FindFile(wish.KernelPath);
        var initrd = string.IsNullOrEmpty(wish.InitrdPath) ? image.InitrdPath : image.FindFile(wish.InitrdPath);
        return new DirectKernel(
            kernel ?? throw new VolumeException($"The image '{wish.Image}' has no kernel: put vmlinuz into {image.Folder}, or name it in kernelBoot.container.kernelPath."),
            initrd,
            wish.CommandLine ?? image.KernelCommandLine ?? DefaultKernelCommandLine);
    }

    /// <summary>SHA-256 of the disk of an image of this host; null: there is no such image, or it has no disk.</summary>
    public async Task<string?> DigestOfImageAsync(string reference, CancellationToken stopping)
    {
        try
        {
            return storage.Images.Open(reference).Disk is { } disk ? await digests.OfAsync(disk.Path, stopping) : null;
        }
        catch (VolumeException)
        {
            return null;
        }
    }

    /// <summary>The file that a guest's disk will be written to from its source: a layer over the same image, or room for all of it.</summary>
    private async Task<MachineDisk> MakeArrivingAsync(DiskWish wish, DiskPlace at, MovedDisk? moved, CancellationToken stopping)
    {
        if (moved is null)
        {
            throw new VolumeException($"The source does not send the disk '{wish.Name}', which is on its host alone.");
        }

        var path = at.Path + ".qcow2";
        if (moved.ImageDigest is null)
        {
            return Own(Disk(wish, await storage.Disks.CreateEmptyAsync(path, DiskFormat.Qcow2, moved.VirtualSizeBytes, stopping)), at.Machine);
        }

        var image = wish.Source as DiskSource.Image ?? throw new VolumeException($"The disk '{wish.Name}' has no image, but the source says so.");
        if ((at.Taken?.Digest ?? await DigestOfImageAsync(image.Reference, stopping)) != moved.ImageDigest)
        {
            throw new VolumeException($"The image '{image.Reference}' is not the one any more that the source was told of.");
        }

        return Own(await OverImageAsync(wish, image, at, moved.VirtualSizeBytes, stopping), at.Machine);
    }

    private async Task<MachineDisk> OverImageAsync(DiskWish wish, DiskSource.Image image, DiskPlace at, long? sizeBytes, CancellationToken stopping)
    {
        var disk = at.Taken is { } file
            ? new DiskImage(storage.Layered.PathOf(at.Machine.Id, file), file.Format, file.VirtualSizeBytes)
            : FindDisk(image);
        var backing = new DiskBacking(disk.Path, FileStamp.Of(disk.Path));
        return Disk(wish, await storage.Disks.CreateOverlayAsync($"{at.Path}.qcow2", disk, sizeBytes, stopping)) with { Backing = backing };
    }

    private static VolumeException NotHere(string image) =>
        new($"The image '{image}' was not fetched for the guest: an agent did that which has ended since, or it was too long ago; try again.");

    private DiskImage FindDisk(DiskSource.Image image)
    {
        if (storage.Layered.IsLayered(image.Reference))
        {
            throw NotHere(image.Reference);
        }

        var opened = storage.Images.Open(image.Reference);
        return image.Path is { Length: > 0 } path ? DiskImage.Probe(opened.FindFile(path))
            : opened.Disk ?? throw new VolumeException($"The image '{image.Reference}' has no disk: put disk.qcow2, disk.raw or disk.img into {opened.Folder}.");
    }

    /// <summary>The name of a disk is the user's; the name of its file is ours.</summary>
    private sealed record DiskPlace(int Index, MachinePlace Machine, IReadOnlyDictionary<string, GuestImageFile> AllTaken)
    {
        /// <summary>Without the ending.</summary>
        public string Path => System.IO.Path.Combine(Machine.Folder, string.Create(CultureInfo.InvariantCulture, $"disk-{Index}"));

        /// <summary>The image below it, where that is one of layers.</summary>
        public GuestImageFile? Taken => AllTaken.GetValueOrDefault(GuestImageWish.DiskSlot(Index));
    }

    private static MachineDisk Own(MachineDisk disk, MachinePlace place)
    {
        Ownership.Change(disk.Path, new ProcessUser(place.UserId, place.UserId));
        return disk;
    }

    private async Task<MachineDisk> MakeDiskAsync(VirtualMachineInstance instance, DiskWish wish, DiskPlace at, CancellationToken stopping)
    {
        var (path, place) = (at.Path, at.Machine);
        switch (wish.Source)
        {
            case DiskSource.Image image:
                return Own(await OverImageAsync(wish, image, at, sizeBytes: null, stopping), place);
            case DiskSource.Empty empty:
                return Own(Disk(wish, await storage.Disks.CreateEmptyAsync($"{path}.qcow2", DiskFormat.Qcow2, empty.SizeBytes, stopping)), place);
            case DiskSource.CloudInit source:
                var data = await cloudInit.ReadAsync(instance, source.Data, instance.Metadata.Name, stopping);
                return Own(Disk(wish, await storage.Seeds.CreateAsync($"{path}.iso", data, stopping)), place);
            case DiskSource.HostFile { CreateBytes: { } sizeBytes } file:
                return Disk(wish, await storage.HostDisks.OpenOrCreateAsync(file.Path, sizeBytes, stopping)); // Not ours: who owns a disk on shared storage is its operator's affair.
            case DiskSource.HostFile file:
                return Disk(wish, storage.HostDisks.Open(file.Path));
            default:
                throw new InvalidOperationException($"A disk from {wish.Source} is not known.");
        }
    }

    private static MachineDisk Disk(DiskWish wish, DiskImage image) => new(wish.Name, image.Path, image.Format, wish.ReadOnly, wish.BootOrder);
}

/// <summary>A machine with its CPUs stopped and its ports silent.</summary>
internal sealed record BuiltGuest(IMachine Machine, IReadOnlyList<GuestPort> Ports);

/// <summary>A guest that this node cannot run as its spec says; each problem names its path.</summary>
internal sealed class UnsupportedGuestException(IReadOnlyList<SpecProblem> problems)
    : Exception($"This node cannot run the guest as it is specified: {string.Join("; ", problems)}.")
{
    public IReadOnlyList<SpecProblem> Problems { get; } = problems;
}
