using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Godwit.Api.KubeVirt.V1;
using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>Translates a guest's object into a <see cref="GuestBlueprint"/>, or says by path all that stands against it.</summary>
internal sealed class BlueprintReader
{
    private const int CpuCountMax = 255;
    private const long MemoryBytesMin = 16L << 20;
    private const string DefaultMachineType = "q35";

    private readonly VirtualMachineInstance instance;
    private readonly MachineHostFacts facts;
    private readonly List<SpecProblem> problems = [];

    private BlueprintReader(VirtualMachineInstance instance, MachineHostFacts facts)
    {
        this.instance = instance;
        this.facts = facts;
    }

    /// <summary>The blueprint; or null, and then at least one problem.</summary>
    public static GuestBlueprint? Read(VirtualMachineInstance instance, MachineHostFacts facts, out IReadOnlyList<SpecProblem> problems)
    {
        var reader = new BlueprintReader(instance, facts);
        var blueprint = reader.Read();
        problems = reader.problems;
        return reader.problems.Count == 0 ? blueprint : null;
    }

    private GuestBlueprint Read()
    {
        var domain = instance.Spec.Domain;
        if (!Guid.TryParseExact(instance.Metadata.Uid, "D", out var id))
        {
            Refuse("metadata.uid", "is not a UUID");
        }

        return new GuestBlueprint
        {
            Id = new MachineId(id),
            DisplayName = $"{instance.Metadata.Namespace}/{instance.Metadata.Name}",
            HostName = instance.Metadata.Name,
            CpuCount = ReadCpuCount(),
            MemoryBytes = ReadMemory(domain),
            MachineType = ReadMachineType(domain),
            CpuModel = ReadCpuModel(domain),
            Kernel = ReadKernel(domain),
            Disks = ReadDisks(domain),
            Nics = ReadNics(domain),
        };
    }

    private void Refuse(string path, string detail) => problems.Add(new SpecProblem(path, detail));

    private int ReadCpuCount()
    {
        var topology = GuestStatus.TopologyOf(instance);
        var count = (long)topology.Cores!.Value * topology.Sockets!.Value * topology.Threads!.Value;
        if (count is < 1 or > CpuCountMax)
        {
            Refuse("spec.domain.cpu", $"sockets × cores × threads is {count}; 1 to {CpuCountMax} CPUs are possible");
            return 1;
        }

        return (int)count;
    }

    private long ReadMemory(DomainSpec domain)
    {
        if (GuestMemory.Of(domain) is not { } memory)
        {
            Refuse("spec.domain.memory.guest", "how much memory the guest has is not said, neither here nor in spec.domain.resources.requests.memory");
            return 0;
        }

        var bytes = memory.ToInt64();
        if (bytes < MemoryBytesMin)
        {
            Refuse("spec.domain.memory.guest", $"{memory} is too little; at least {MemoryBytesMin >> 20}Mi are needed (mind the unit)");
        }

        return bytes & ~((1L << 20) - 1); // QEMU takes whole pages of any size that way.
    }

    /// <summary>A guest that runs keeps the type that it was started with, wherever it goes; a new one gets the newest of its family.</summary>
    private string ReadMachineType(DomainSpec domain)
    {
        var path = "spec.domain.machine.type";
        var asked = instance.Status.Machine?.Type is { Length: > 0 } running ? running
            : domain.Machine?.Type is { Length: > 0 } named ? named
            : DefaultMachineType;
        if (facts.MachineTypes.Contains(asked, StringComparer.Ordinal))
        {
            return asked;
        }

        var family = asked switch
        {
            "q35" => "pc-q35-",
            "pc" => "pc-i440fx-",
            _ => null,
        };
        var newest = family is null ? null : facts.MachineTypes.Where(type => type.StartsWith(family, StringComparison.Ordinal)).MaxBy(VersionOf);
        if (newest is null)
        {
            Refuse(path, $"'{asked}' is no machine type of this node's QEMU {facts.QemuVersion}; it has {string.Join(", ", facts.MachineTypes.Take(8))} and others");
        }

        return newest ?? asked;
    }

    private static Version VersionOf(string machineType) =>
        Version.TryParse(machineType[(machineType.LastIndexOf('-') + 1)..], out var version) ? version : new Version(0, 0);

    private string ReadCpuModel(DomainSpec domain)
    {
        var isKvm = facts.Accelerator == Accelerator.Kvm;
        switch (domain.Cpu?.Model)
        {
            case null or "" or "host-model" or "host-passthrough":
                return isKvm ? "host" : "max";
            case var named when facts.CpuModels.Contains(named, StringComparer.Ordinal):
                return named;
            case var other:
                Refuse("spec.domain.cpu.model", $"'{other}' does not run on this node with all its features");
                return other;
        }
    }

    private static KernelWish? ReadKernel(DomainSpec domain) =>
        domain.Firmware?.KernelBoot is { Container: { } container } boot
            ? new KernelWish(container.Image, container.KernelPath, container.InitrdPath, boot.KernelArgs) { Pull = new ImagePull(container.ImagePullPolicy, container.ImagePullSecret) }
            : null;

    private List<DiskWish> ReadDisks(DomainSpec domain)
    {
        var wishes = new List<DiskWish>();
        var volumes = instance.Spec.Volumes.ToLookup(volume => volume.Name, StringComparer.Ordinal);
        for (var index = 0; index < domain.Devices.Disks.Count; index++)
        {
            var disk = domain.Devices.Disks[index];
            var path = $"spec.domain.devices.disks[{index}]";
            if (disk.Target?.Bus is not (null or "" or "virtio"))
            {
                Refuse($"{path}.disk.bus", $"'{disk.Target.Bus}' is not supported; use virtio");
            }

            if (volumes[disk.Name].FirstOrDefault() is not { } volume)
            {
                Refuse($"{path}.name", $"there is no volume '{disk.Name}'");
            }
            else if (ReadSource(volume) is { } source)
            {
                var readOnly = disk.Cdrom is not null || disk.Target?.Readonly == true || source is DiskSource.CloudInit;
                wishes.Add(new DiskWish(disk.Name, source, readOnly, disk.BootOrder));
            }
        }

        if (wishes.Count == 0 && domain.Firmware?.KernelBoot is null)
        {
            Refuse("spec.domain.devices.disks", "there is neither a disk nor spec.domain.firmware.kernelBoot: nothing to boot from");
        }

        return wishes;
    }

    private DiskSource? ReadSource(Volume volume)
    {
        var path = $"spec.volumes[{volume.Name}]";
        switch (volume)
        {
            case { ContainerDisk: { } image }:
                return new DiskSource.Image(image.Image, image.Path) { Pull = new ImagePull(image.ImagePullPolicy, image.ImagePullSecret) };
            case { HostDisk: { Type: "Disk" } host }:
                return new DiskSource.HostFile(host.Path, CreateBytes: null);
            case { HostDisk: { Type: "DiskOrCreate", Capacity: { } capacity } host }:
                return new DiskSource.HostFile(host.Path, Sectors(capacity.ToInt64()));
            case { HostDisk: { Type: "DiskOrCreate" } }:
                Refuse($"{path}.hostDisk.capacity", "DiskOrCreate needs the size to create it with");
                return null;
            case { HostDisk: { } host }:
                Refuse($"{path}.hostDisk.type", $"'{host.Type}' is neither Disk nor DiskOrCreate");
                return null;
            case { EmptyDisk: { } empty }:
                return new DiskSource.Empty(Sectors(empty.Capacity.ToInt64()));
            case { CloudInitNoCloud: { } data }:
                return new DiskSource.CloudInit(data);
            default:
                Refuse(path, "this kind of volume is not supported");
                return null;
        }
    }

    private static long Sectors(long bytes) => (bytes + 511) / 512 * 512;

    private List<NicWish> ReadNics(DomainSpec domain)
    {
        var names = domain.Devices.Interfaces.Select(nic => nic.Name).ToList();
        if (names.Count == 0 && domain.Devices.AutoattachPodInterface != false)
        {
            names.Add("default");
        }

        var wishes = new List<NicWish>();
        for (var index = 0; index < names.Count; index++)
        {
            if (domain.Devices.Interfaces.Count > 0 && domain.Devices.Interfaces[index].Model is not (null or "" or "virtio"))
            {
                Refuse($"spec.domain.devices.interfaces[{index}].model", $"'{domain.Devices.Interfaces[index].Model}' is not supported; use virtio");
            }

            if (ReadNic(names[index]) is { } wish)
            {
                wishes.Add(wish);
            }
        }

        return wishes;
    }

    private NicWish? ReadNic(string name)
    {
        var given = instance.Status.Interfaces.FirstOrDefault(entry => entry.Name == name);
        if (given?.Mac is { } mac
            && PhysicalAddress.TryParse(mac.Replace(':', '-').ToUpperInvariant(), out var parsed)
            && parsed.GetAddressBytes() is { Length: 6 } bytes
            && (bytes[0] & 1) == 0
            && IPAddress.TryParse(given.IpAddress, out var address)
            && address.AddressFamily == AddressFamily.InterNetwork)
        {
            return new NicWish(name, string.Join(':', bytes.Select(part => part.ToString("x2", CultureInfo.InvariantCulture))), address);
        }

        Refuse($"status.interfaces[{name}]", "the cluster has not given this interface a MAC and an IPv4 address");
        return null;
    }
}
