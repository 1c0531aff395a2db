using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Node.Guests;

namespace Godwit.Node.Tests.Guests;

public sealed class BlueprintReaderTests
{
    [Fact]
    public void A_guest_is_translated_whole()
    {
        var guest = Guest() with
        {
            Spec = Guest().Spec with
            {
                Domain = Guest().Spec.Domain with
                {
                    Cpu = new Cpu { Cores = 2, Sockets = 2 },
                    Devices = new Devices
                    {
                        Disks =
                        [
                            new Disk { Name = "root", BootOrder = 1 },
                            new Disk { Name = "seed", Cdrom = new CdRomTarget() },
                            new Disk { Name = "scratch" },
                        ],
                    },
                },
                Volumes =
                [
                    new Volume { Name = "root", ContainerDisk = new ContainerDiskSource { Image = "debian" } },
                    new Volume { Name = "seed", CloudInitNoCloud = new CloudInitNoCloudSource { UserData = "#cloud-config" } },
                    new Volume { Name = "scratch", EmptyDisk = new EmptyDiskSource { Capacity = Quantity.Parse("1000k") } },
                ],
            },
        };

        var blueprint = Read(guest)!;

        Assert.Equal(4, blueprint.CpuCount);
        Assert.Equal(256L << 20, blueprint.MemoryBytes);
        Assert.Equal("pc-q35-10.0", blueprint.MachineType);
        Assert.Equal("max", blueprint.CpuModel);
        Assert.Equal("default/tiny", blueprint.DisplayName);
        Assert.Equal("tiny", blueprint.Kernel!.Image);
        Assert.Equal(["root", "seed", "scratch"], blueprint.Disks.Select(disk => disk.Name));
        Assert.Equal([false, true, false], blueprint.Disks.Select(disk => disk.ReadOnly));
        Assert.Equal(1_000_448, ((DiskSource.Empty)blueprint.Disks[2].Source).SizeBytes); // Whole sectors.
        Assert.Equal("02:00:00:00:00:07", Assert.Single(blueprint.Nics).MacAddress);
    }

    [Theory]
    [InlineData("q35", "pc-q35-10.0")]
    [InlineData("pc", "pc-i440fx-10.0")]
    [InlineData("pc-q35-9.2", "pc-q35-9.2")]
    public void A_machine_family_becomes_its_newest_version(string asked, string expected) =>
        Assert.Equal(expected, Read(Domain(domain => domain with { Machine = new Machine { Type = asked } }))!.MachineType);

    [Fact]
    public void A_guest_that_runs_keeps_its_machine_type()
    {
        var guest = Guest();
        guest = guest with { Status = guest.Status with { Machine = new Machine { Type = "pc-q35-9.2" } } };

        Assert.Equal("pc-q35-9.2", Read(guest)!.MachineType);
    }

    [Fact]
    public void All_that_is_wrong_is_said_at_once_each_by_its_path()
    {
        var guest = Domain(domain => domain with
        {
            Memory = new Memory { Guest = Quantity.Parse("512m") },
            Cpu = new Cpu { Cores = 1000, Model = "z80" },
            Machine = new Machine { Type = "microvax" },
            Devices = new Devices
            {
                Disks = [new Disk { Name = "nowhere" }, new Disk { Name = "x", Target = new DiskTarget { Bus = "ide" } }],
                Interfaces = [new Interface { Name = "second", Model = "e1000", Bridge = new InterfaceBridge() }],
            },
        });

        Assert.Null(BlueprintReader.Read(guest, FakeMachineHost.Facts, out var problems));

        Assert.Equal(
            [
                "spec.domain.cpu", "spec.domain.cpu.model", "spec.domain.devices.disks[0].name", "spec.domain.devices.disks[1].disk.bus",
                "spec.domain.devices.disks[1].name", "spec.domain.devices.interfaces[0].model", "spec.domain.machine.type", "spec.domain.memory.guest",
                "status.interfaces[second]",
            ],
            problems.Select(problem => problem.Path).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("zz:00:00:00:00:07", "10.77.0.7")]
    [InlineData("01:00:00:00:00:07", "10.77.0.7")]
    [InlineData("02:00:00:00:00:07", "fe80::1")]
    [InlineData("02:00:00:00:00:07", null)]
    public void An_interface_without_a_unicast_MAC_and_an_IPv4_address_is_refused(string mac, string? address)
    {
        var guest = Guest();
        guest = guest with { Status = guest.Status with { Interfaces = [new InterfaceStatus { Name = "default", Mac = mac, IpAddress = address }] } };

        Assert.Null(Read(guest));
    }

    private static GuestBlueprint? Read(VirtualMachineInstance guest) => BlueprintReader.Read(guest, FakeMachineHost.Facts, out _);

    private static VirtualMachineInstance Domain(Func<DomainSpec, DomainSpec> change) =>
        Guest() with { Spec = Guest().Spec with { Domain = change(Guest().Spec.Domain) } };

    private static VirtualMachineInstance Guest() => new()
    {
        Metadata = new ObjectMeta { Namespace = "default", Name = "tiny", Uid = "11111111-2222-3333-4444-555555555555" },
        Spec = new VirtualMachineInstanceSpec
        {
            Domain = new DomainSpec
            {
                Memory = new Memory { Guest = Quantity.Parse("256Mi") },
                Firmware = new Firmware { KernelBoot = new KernelBoot { Container = new KernelBootContainer { Image = "tiny" } } },
            },
        },
        Status = new VirtualMachineInstanceStatus
        {
            Interfaces = [new InterfaceStatus { Name = "default", Mac = "02:00:00:00:00:07", IpAddress = "10.77.0.7" }],
        },
    };
}
