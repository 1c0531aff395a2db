using System.Formats.Tar;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;
using Godwit.Linux.Files;
using Godwit.Node.Tests.Clusters;

namespace Godwit.Node.Tests.Guests;

/// <summary>Guests whose kernels and disks come out of images of layers: what they get, what is kept for them, and what is refused.</summary>
public sealed class GuestImageTests
{
    private static readonly byte[] Kernel = MakeKernel(1);
    private static readonly byte[] Initrd = "070701"u8.ToArray();
    private static readonly byte[] Disk = MakeDisk(7);

    public GuestImageTests() => Assert.SkipUnless(Environment.UserName == "root", "Images of layers are unpacked with their owners: run it as root.");

    [Fact]
    public async Task A_guest_boots_from_an_image_of_layers_that_lies_in_the_images_folder_and_keeps_what_it_began_with()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();
        var layout = Path.Combine(node.ImagesFolder, "box");
        ImageLayout.Write(layout, ImageLayout.Layer(("boot/vmlinuz", MakeKernel(9)), ("disk/vm.img", Disk)), ImageLayout.Layer(("boot/vmlinuz", Kernel), ("boot/initrd", Initrd)));

        await node.ScheduleAsync("one", spec => From(spec, "box", "box"));
        var guest = await node.UntilAsync("one", VirtualMachineInstancePhases.Running);

        var machine = node.MachineOf(guest).Spec;
        Assert.Equal(Kernel, await File.ReadAllBytesAsync(machine.Kernel!.KernelPath, TestCluster.Stopping));
        Assert.Equal(Initrd, await File.ReadAllBytesAsync(machine.Kernel.InitrdPath!, TestCluster.Stopping));
        Assert.Equal(Disk, await File.ReadAllBytesAsync(machine.Disks.Single().Backing!.Path, TestCluster.Stopping));
        Assert.All([machine.Kernel.KernelPath, machine.Disks.Single().Backing!.Path], path => Assert.StartsWith(Path.Combine(node.GuestImagesFolder, "machines", guest.Metadata.Uid), path, StringComparison.Ordinal));
        Assert.Equal(3, Kept(node).Count);
        await TestCluster.UntilAsync(() => cluster.Admin.For<Event>().ListAsync(ListOptions.All, TestCluster.Stopping), list => list.Items.Any(entry => entry.Reason == "Pulled" && entry.InvolvedObject.Name == "one"));

        // The name comes to mean another image: the next guest has that, this one keeps its own, and so it is for the next agent.
        await node.KillAgentAsync();
        ImageLayout.Write(layout, ImageLayout.Layer(("boot/vmlinuz", MakeKernel(2)), ("boot/initrd", Initrd), ("disk/vm.img", Disk)));
        File.SetLastWriteTimeUtc(Path.Combine(layout, "index.json"), DateTime.UnixEpoch);
        await node.StartAgentAsync();
        await node.ScheduleAsync("two", spec => From(spec, "box", "box"));
        var second = node.MachineOf(await node.UntilAsync("two", VirtualMachineInstancePhases.Running)).Spec;
        Assert.Equal(MakeKernel(2), await File.ReadAllBytesAsync(second.Kernel!.KernelPath, TestCluster.Stopping));
        Assert.Equal(Kernel, await File.ReadAllBytesAsync(machine.Kernel.KernelPath, TestCluster.Stopping));
        Assert.Equal(4, Kept(node).Count);
        Assert.True(FileIdentity.Find(second.Disks.Single().Backing!.Path)!.Value.IsSameFileAs(FileIdentity.Find(machine.Disks.Single().Backing!.Path)!.Value));

        await node.Guests.DeleteAsync(ResourceKey.Of(guest), new DeleteOptions(), TestCluster.Stopping);
        await TestCluster.UntilAsync(() => node.FindAsync("one"), found => found is null);
        Assert.Equal(3, Kept(node).Count);
        Assert.False(Directory.Exists(Path.Combine(node.GuestImagesFolder, "machines", guest.Metadata.Uid)));
    }

    [Fact]
    public async Task A_name_with_a_slash_is_taken_from_the_nodes_archives_as_a_pods_is_and_one_that_is_nowhere_is_told_and_tried_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();

        await node.ScheduleAsync("late", spec => From(spec, "team/box:1", "team/box:1", "Never"));
        var waiting = await UntilNotSynchronizedAsync(node, "late", "ErrImageNeverPull");
        Assert.Contains("team/box:1", waiting, StringComparison.Ordinal);
        Assert.Empty(node.Host.Machines);

        var layout = Path.Combine(cluster.Folder, "layout");
        ImageLayout.Write(layout, ImageLayout.Layer(("boot/vmlinuz", Kernel), ("boot/initrd", Initrd), ("disk/vm.img", Disk)));
        WriteArchive(layout, Directory.CreateDirectory(Path.Combine(node.ImagesFolder, "containers")).FullName, "team/box:1");
        var guest = await node.UntilAsync("late", VirtualMachineInstancePhases.Running);
        Assert.Equal(Kernel, await File.ReadAllBytesAsync(node.MachineOf(guest).Spec.Kernel!.KernelPath, TestCluster.Stopping));
        Assert.Equal("True", guest.Status.Conditions.Single(condition => condition.Type == VirtualMachineInstanceConditions.Synchronized).Status);
    }

    [Fact]
    public async Task Images_that_are_none_or_lead_out_are_refused_in_words_and_nothing_of_them_is_kept()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();
        var chained = new byte[104];
        new byte[] { 0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3 }.CopyTo(chained, 0);
        (chained[15], chained[23], chained[28]) = (104, 16, 1);
        foreach (var (name, layer, word) in new (string, byte[], string)[]
        {
            ("chained", ImageLayout.Layer(("boot/vmlinuz", Kernel), ("disk/vm.qcow2", chained)), "it has a backing file"),
            ("zipped", ImageLayout.Layer(("boot/vmlinuz", Kernel), ("disk/vm.img", [0x1f, 0x8b, .. new byte[510]])), "it is a gzip file"),
            ("several", ImageLayout.Layer(("boot/vmlinuz", Kernel), ("disk/a", Disk), ("disk/b", Disk)), "holds 2 files"),
            ("none", ImageLayout.Layer(("boot/vmlinuz", Kernel)), "The image has no file /disk"),
            ("no-kernel", ImageLayout.Layer(("boot/vmlinuz", Disk), ("disk/a", Disk)), "is not a Linux kernel"),
            ("linked", ImageLayout.Layer(tar =>
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "boot/vmlinuz") { DataStream = new MemoryStream(Kernel) });
                tar.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, "disk/vm.img") { LinkName = "../../../../../../etc/passwd" });
            }), "leads out of the image"),
            ("device", ImageLayout.Layer(tar =>
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "boot/vmlinuz") { DataStream = new MemoryStream(Kernel) });
                tar.WriteEntry(new PaxTarEntry(TarEntryType.BlockDevice, "disk/sda") { DeviceMajor = 8, DeviceMinor = 0 });
            }), "holds 0 files"),
        })
        {
            ImageLayout.Write(Path.Combine(node.ImagesFolder, name), layer);
            await node.ScheduleAsync(name, spec => From(spec, name, name, initrd: null));
            var words = await UntilNotSynchronizedAsync(node, name, "InvalidImage");
            Assert.Contains(word, words, StringComparison.Ordinal);
            await node.Guests.DeleteAsync(new ResourceKey("default", name), new DeleteOptions(), TestCluster.Stopping);
            await TestCluster.UntilAsync(() => node.FindAsync(name), found => found is null);
        }

        Assert.Empty(node.Host.Machines);
        ImageLayout.Write(Path.Combine(node.ImagesFolder, "whole"), ImageLayout.Layer(("boot/vmlinuz", Kernel), ("boot/initrd", Initrd), ("disk/a", Disk)));
        var whole = await node.ScheduleAsync("whole", spec => From(spec, "whole", "whole")); // The node goes on; and its sweep at the end of a guest takes what was left.
        await node.UntilAsync("whole", VirtualMachineInstancePhases.Running);
        await node.Guests.DeleteAsync(ResourceKey.Of(whole), new DeleteOptions(), TestCluster.Stopping);
        await TestCluster.UntilAsync(() => node.FindAsync("whole"), found => found is null);
        Assert.Empty(Kept(node));
    }

    private static VirtualMachineInstanceSpec From(VirtualMachineInstanceSpec spec, string kernel, string disk, string? policy = null, string? initrd = "/boot/initrd") => spec with
    {
        Domain = spec.Domain with
        {
            Firmware = new Firmware { KernelBoot = new KernelBoot { Container = new KernelBootContainer { Image = kernel, KernelPath = "/boot/vmlinuz", InitrdPath = initrd, ImagePullPolicy = policy } } },
            Devices = spec.Domain.Devices with { Disks = [new Api.KubeVirt.V1.Disk { Name = "root", Target = new DiskTarget { Bus = "virtio" } }] },
        },
        Volumes = [new Api.KubeVirt.V1.Volume { Name = "root", ContainerDisk = new ContainerDiskSource { Image = disk, ImagePullPolicy = policy } }],
    };

    private static async Task<string> UntilNotSynchronizedAsync(TestNode node, string name, string reason)
    {
        string? last = null;
        await TestCluster.UntilAsync(
            () => node.FindAsync(name),
            found => (last = found?.Status.Conditions.FirstOrDefault(condition => condition is { Type: VirtualMachineInstanceConditions.Synchronized, Status: "False" } && condition.Reason == reason)?.Message) is not null);
        return last!;
    }

    private static List<string> Kept(TestNode node) => [.. Directory.EnumerateFiles(Path.Combine(node.GuestImagesFolder, "files")).Select(path => Path.GetFileName(path))];

    private static byte[] MakeKernel(byte mark)
    {
        var kernel = new byte[0x400];
        (kernel[0x1fe], kernel[0x1ff], kernel[0x3ff]) = (0x55, 0xAA, mark);
        "HdrS"u8.CopyTo(kernel.AsSpan(0x202));
        return kernel;
    }

    private static byte[] MakeDisk(byte mark)
    {
        var disk = new byte[1 << 20];
        disk[1000] = mark;
        return disk;
    }

    /// <summary>The layout as one file, as a node takes archives.</summary>
    private static void WriteArchive(string layout, string folder, string name)
    {
        var index = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(Path.Combine(layout, "index.json")))!;
        index["manifests"]![0]!["annotations"] = new System.Text.Json.Nodes.JsonObject { ["org.opencontainers.image.ref.name"] = name };
        File.WriteAllText(Path.Combine(layout, "index.json"), index.ToJsonString());
        TarFile.CreateFromDirectory(layout, Path.Combine(folder, "box.new"), includeBaseDirectory: false);
        File.Move(Path.Combine(folder, "box.new"), Path.Combine(folder, "box.tar"));
    }
}
