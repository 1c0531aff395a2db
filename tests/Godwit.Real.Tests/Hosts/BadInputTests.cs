using System.Text.Json.Nodes;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary>Wrong wishes, from the user's command to the host: each is refused in words, and whoever refused it goes on working.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
public sealed class BadInputTests
{
    [Fact]
    public async Task Images_that_are_none_or_lie_outside_are_refused_in_words_and_the_node_goes_on()
    {
        Needs.Root();
        await using var cluster = new HostCluster();
        var images = cluster.MakeImages();
        MakeImage(images, "text", "this is no disk", "disk.qcow2");
        MakeImage(images, "noise", "neither is this a kernel", "vmlinuz");
        Directory.CreateDirectory(Path.Combine(images, "empty"));
        Directory.CreateDirectory(Path.Combine(images, "linked"));
        File.CreateSymbolicLink(Path.Combine(images, "linked", "disk.raw"), "/etc/shadow");
        await cluster.UpAsync();

        (string Name, string Boot, string Words)[] wrong =
        [
            ("text", Disk("text"), "disk.qcow2"),
            ("linked", Disk("linked"), "link"),
            ("empty", Disk("empty"), "The image 'empty' is empty"),
            ("missing", Disk("missing"), "does not have the image missing"),
            ("upwards", Disk("../../etc"), "../../etc"),
            ("noise", Kernel("noise", "/vmlinuz"), "vmlinuz"),
            ("outside", Kernel("tiny", "/../../../etc/passwd"), "/../../../etc/passwd"),
        ];
        foreach (var (name, boot, words) in wrong)
        {
            var created = await cluster.KubectlWithInputAsync(Manifest(name, boot), "create", "-f", "-");
            var said = created.ExitCode == 0 ? await cluster.WaitForWordsAsync(name) : created.Errors;
            TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {said}");
            Assert.Contains(words, said, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
        }

        Assert.Empty(QemuProcesses.Of(cluster.DataFolder));

        // With all that refused, a right one starts beside them.
        (await cluster.GodwitAsync("vm", "create", "right", "--image", "tiny", "--wait")).MustSucceed();
        Assert.Single(QemuProcesses.Of(cluster.DataFolder));
    }

    private static void MakeImage(string images, string name, string content, string file)
    {
        Directory.CreateDirectory(Path.Combine(images, name));
        File.WriteAllText(Path.Combine(images, name, file), content);
    }

    private static string Disk(string image) => $"volumes: [ {{ name: root, containerDisk: {{ image: \"{image}\" }} }} ], domain: {{ memory: {{ guest: 128Mi }}, devices: {{ disks: [ {{ name: root, disk: {{ bus: virtio }} }} ] }} }}";

    private static string Kernel(string image, string path) =>
        $"domain: {{ devices: {{}}, memory: {{ guest: 128Mi }}, firmware: {{ kernelBoot: {{ container: {{ image: \"{image}\", kernelPath: \"{path}\" }} }} }} }}";

    private static string Manifest(string name, string boot) => $$"""
        apiVersion: kubevirt.io/v1
        kind: VirtualMachineInstance
        metadata: { name: "{{name}}" }
        spec: { {{boot}} }
        """;
}
