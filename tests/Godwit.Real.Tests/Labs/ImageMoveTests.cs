using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Godwit.Images;
using Godwit.Node.Tests.Guests;
using Godwit.Oci.Distribution;
using Godwit.Real.Tests.Docker;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Real.Tests.Labs;

/// <summary>A guest whose kernel, initial memory disk and disk come from a registry, and go along by digest.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
[Trait("Needs", "kubectl")]
[Trait("Needs", "docker")]
public sealed class ImageMoveTests(GodwitLab lab)
{
    private const string Settings = "tiny.rate=1M tiny.set=4M tiny.ballast=4M tiny.disk=4M tiny.disk-rate=100k";
    private const int DiskBytes = 32 << 20;
    private const int UsedFrom = 8 << 20;
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task A_guest_boots_from_a_locked_registry_and_moves_to_a_node_that_pulls_just_what_it_began_with()
    {
        var folder = Directory.CreateTempSubdirectory("gwd-guest-image-").FullName;
        var passwords = Path.Combine(folder, "htpasswd");
        await File.WriteAllTextAsync(passwords, RegistryTrustTests.PasswordEntry + "\n", TestContext.Current.CancellationToken);
        await using var registry = await RegistryProcess.StartAsync(IPAddress.Loopback, new(PasswordFile: passwords));
        foreach (var node in GodwitLab.Nodes)
        {
            await registry.ServeInAsync(lab.NamespaceOf(node));
        }

        var name = $"{registry.Name}/team/guest:1";
        var disk = Disk(mark: 1);
        await PushAsync(folder, name, disk);
        (await lab.KubectlAsync(null, "create", "secret", "docker-registry", "pull", $"--docker-server={registry.Name}", "--docker-username=somebody", $"--docker-password={RegistryTrustTests.Password}")).MustSucceed();
        await using var guest = await TinyGuest.StartAsync(
            lab,
            "pulled",
            Settings,
            memoryMib: 128,
            volume: $"containerDisk: {{ image: '{name}', imagePullSecret: pull }}",
            boot: $"image: '{name}', kernelPath: /boot/vmlinuz, initrdPath: /boot/initrd, imagePullSecret: pull");
        var (source, target, uid) = (await guest.NodeAsync(), await guest.OtherNodeAsync(), (await guest.FindAsync())!.Metadata.Uid);
        await MustHaveAsync(guest, source, uid, disk);
        Assert.Empty(Kept(target));

        // By the time of the move the name means another image.
        await PushAsync(folder, name, Disk(mark: 2));
        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var result = await lab.GodwitAsync(Bound, "migrate", guest.Name, "--mode", "precopy", "-o", "json");

        var measured = JsonNode.Parse(result.MustSucceed().Output)!["status"]!["measurement"]!;
        await guest.MustHaveItsDiskAsync();
        await guest.MustBeWholeAsync(target, counter);
        witness.MustHaveSeenOneAtATime();
        await MustHaveAsync(guest, target, uid, disk);
        Assert.InRange(measured["bytesByKind"]!["disk"]!.GetValue<long>(), 1, (DiskBytes - UsedFrom) / 2); // The layer alone: the image came from the registry.
        Assert.Empty(Kept(source));

        (await lab.KubectlAsync(null, "delete", "vm", guest.Name, "--wait=true", "--timeout=60s")).MustSucceed();
        await Eventually.IsTrueAsync("nothing is kept of images that no guest has", Bound, () => Task.FromResult(Kept(target).Count == 0));
        (await lab.KubectlAsync(null, "delete", "secret", "pull")).MustSucceed();
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>Its QEMU has open, on this node, a name of the guest's own for just this image's disk.</summary>
    private async Task MustHaveAsync(TinyGuest guest, string node, string uid, byte[] disk)
    {
        var path = Path.Combine(lab.AgentFolder(node), "guest-images", "machines", uid, "disk-0");
        var processId = Assert.Single(guest.ProcessIds());
        var opened = Directory.EnumerateFiles($"/proc/{processId}/fd").Select(link => File.ResolveLinkTarget(link, returnFinalTarget: false)?.FullName).ToList();
        Assert.Contains(path, opened);
        Assert.Equal(SHA256.HashData(disk), SHA256.HashData(await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken)));
        Assert.Equal(3, Kept(node).Count);
    }

    private List<string> Kept(string node) => [.. Directory.EnumerateFiles(Path.Combine(lab.AgentFolder(node), "guest-images", "files"))];

    /// <summary>Room for what the guest writes, and behind it what cannot be had for nothing.</summary>
    private static byte[] Disk(int mark)
    {
        var disk = new byte[DiskBytes];
        new Random(mark).NextBytes(disk.AsSpan(UsedFrom));
        return disk;
    }

    private static async Task PushAsync(string folder, string name, byte[] disk)
    {
        var (layout, tiny, stopping) = (Path.Combine(folder, "layout"), Path.Combine(GodwitLab.ImagesFolder, "tiny"), TestContext.Current.CancellationToken);
        ImageLayout.Write(
            layout,
            ImageLayout.Layer(("boot/vmlinuz", await File.ReadAllBytesAsync(Path.Combine(tiny, "vmlinuz"), stopping)), ("boot/initrd", await File.ReadAllBytesAsync(Path.Combine(tiny, "initrd"), stopping))),
            ImageLayout.Layer(("disk/guest.img", disk)));
        using var store = ImageStore.Open(new ImageStoreOptions { Folder = Path.Combine(folder, "store") }, TimeProvider.System, NullLogger<ImageStore>.Instance);
        var image = Assert.Single(await store.LoadLayoutAsync(layout, new Progress<TransferProgress>(), stopping));
        var reference = store.ParseReference(name);
        store.Tag(image.Id, reference);
        await store.PushAsync(reference, new RegistryCredentials { UserName = "somebody", Password = RegistryTrustTests.Password }, new Progress<TransferProgress>(), stopping);
    }
}
