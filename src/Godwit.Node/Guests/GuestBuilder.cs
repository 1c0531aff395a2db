using Godwit.Api.KubeVirt.V1;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Godwit.Machines;
using Godwit.Volumes;

namespace Godwit.Node.Guests;

/// <summary>The storage that guests of this host are built from.</summary>
internal sealed record GuestStorage(ImageStore Images, DiskMaker Disks, HostDisks HostDisks, CloudInitSeed Seeds);

/// <summary>
/// Makes a place for a guest on this host and starts its QEMU with the CPUs stopped: to boot, or to receive a moving
/// guest. Every step may be repeated, so a build that was cut short is simply begun again. Nothing of the guest runs
/// here; that is an order of its own.
/// </summary>
internal sealed class GuestBuilder(IMachineHost host, LocalMachines machines, IGuestNetwork network, GuestStorage storage, ICloudInitReader cloudInit)
{
    /// <summary>When neither the guest nor its image says what its kernel is told: a console that can be read.</summary>
    private const string DefaultKernelCommandLine = "console=ttyS0";

    /// <summary>Builds the guest's machine; its ports stay silent.</summary>
    /// <exception cref="UnsupportedGuestException">The spec asks for what this node cannot do: it will not help to try again.</exception>
    /// <exception cref="MachineException">QEMU or the host refused.</exception>
    /// <exception cref="VolumeException">A disk or image cannot be had.</exception>
    public async Task<BuiltGuest> BuildAsync(VirtualMachineInstance instance, MachineStart start, CancellationToken stopping)
    {
        var facts = await host.GetFactsAsync(stopping);
        var blueprint = BlueprintReader.Read(instance, facts, out var problems) ?? throw new UnsupportedGuestException(problems);
        var place = await host.ReserveAsync(blueprint.Id, stopping);
        var kernel = blueprint.Kernel is null ? null : FindKernel(blueprint.Kernel);
        var disks = new List<MachineDisk>();
        foreach (var wish in blueprint.Disks)
        {
            disks.Add(await MakeDiskAsync(instance, blueprint, wish, place, stopping));
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

    /// <summary>Takes down all that <see cref="BuildAsync"/> made. Idempotent, also after half a build.</summary>
    public async Task DemolishAsync(MachineId id, CancellationToken stopping)
    {
        // Side by side, for the kernel takes its time with each, and a move ends with this: a guest that is to be gone needs no network.
        await Task.WhenAll(machines.RemoveAsync(id, stopping), network.UnplugAsync(id, stopping));
    }

    /// <summary>The ports of a guest that was built before, from its object alone; empty when the object does not say.</summary>
    public async Task<IReadOnlyList<GuestPort>> PortsOfAsync(VirtualMachineInstance instance, CancellationToken stopping) =>
        BlueprintReader.Read(instance, await host.GetFactsAsync(stopping), out _) is { } blueprint ? PortsOf(blueprint) : [];

    private static List<GuestPort> PortsOf(GuestBlueprint blueprint) =>
        [.. blueprint.Nics.Select((nic, index) => new GuestPort(blueprint.Id, index, nic.MacAddress, nic.Address))];

    private DirectKernel FindKernel(KernelWish wish)
    {
        var image = storage.Images.Open(wish.Image);
        var kernel = string.IsNullOrEmpty(wish.KernelPath) ? image.KernelPath : image.FindFile(wish.KernelPath);
        var initrd = string.IsNullOrEmpty(wish.InitrdPath) ? image.InitrdPath : image.FindFile(wish.InitrdPath);
        return new DirectKernel(
            kernel ?? throw new VolumeException($"The image '{wish.Image}' has no kernel: put vmlinuz into {image.Folder}, or name it in kernelBoot.container.kernelPath."),
            initrd,
            wish.CommandLine ?? image.KernelCommandLine ?? DefaultKernelCommandLine);
    }

    private async Task<MachineDisk> MakeDiskAsync(
        VirtualMachineInstance instance, GuestBlueprint blueprint, DiskWish wish, MachinePlace place, CancellationToken stopping)
    {
        // The name of a disk is the user's; the name of its file is ours.
        var path = Path.Combine(place.Folder, $"disk-{IndexOf(blueprint, wish)}");
        var owner = new ProcessUser(place.UserId, place.UserId);
        DiskImage made;
        switch (wish.Source)
        {
            case DiskSource.Image image:
                var opened = storage.Images.Open(image.Reference);
                var disk = opened.Disk ?? throw new VolumeException($"The image '{image.Reference}' has no disk: put disk.qcow2, disk.raw or disk.img into {opened.Folder}.");
                made = await storage.Disks.CreateOverlayAsync($"{path}.qcow2", disk, sizeBytes: null, stopping);
                break;
            case DiskSource.Empty empty:
                made = await storage.Disks.CreateEmptyAsync($"{path}.qcow2", DiskFormat.Qcow2, empty.SizeBytes, stopping);
                break;
            case DiskSource.CloudInit source:
                var data = await cloudInit.ReadAsync(instance, source.Data, blueprint.HostName, stopping);
                made = await storage.Seeds.CreateAsync($"{path}.iso", data, stopping);
                break;
            case DiskSource.HostFile { CreateBytes: { } sizeBytes } file:
                made = await storage.HostDisks.OpenOrCreateAsync(file.Path, sizeBytes, stopping);
                return Disk(wish, made); // Not ours: who owns a disk on shared storage is its operator's affair.
            case DiskSource.HostFile file:
                return Disk(wish, storage.HostDisks.Open(file.Path));
            default:
                throw new InvalidOperationException($"A disk from {wish.Source} is not known.");
        }

        Ownership.Change(made.Path, owner);
        return Disk(wish, made);
    }

    private static MachineDisk Disk(DiskWish wish, DiskImage image) => new(wish.Name, image.Path, image.Format, wish.ReadOnly, wish.BootOrder);

    private static int IndexOf(GuestBlueprint blueprint, DiskWish wish)
    {
        for (var index = 0; index < blueprint.Disks.Count; index++)
        {
            if (ReferenceEquals(blueprint.Disks[index], wish))
            {
                return index;
            }
        }

        throw new InvalidOperationException($"Disk '{wish.Name}' is not one of {blueprint.DisplayName}.");
    }
}

/// <summary>A machine with its CPUs stopped and its ports silent.</summary>
internal sealed record BuiltGuest(IMachine Machine, IReadOnlyList<GuestPort> Ports);

/// <summary>A guest that this node cannot run as its spec says; each problem names its path.</summary>
internal sealed class UnsupportedGuestException(IReadOnlyList<SpecProblem> problems)
    : Exception($"This node cannot run the guest as it is specified: {string.Join("; ", problems)}.")
{
    public IReadOnlyList<SpecProblem> Problems { get; } = problems;
}
