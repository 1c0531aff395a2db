using System.CommandLine;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Cli.Output;
using Godwit.Client;

namespace Godwit.Cli.Commands;

/// <summary>What the options of <c>godwit vm create</c> say.</summary>
internal sealed record VmWish(string Name, string Namespace)
{
    public string Image { get; init; } = VmCreateCommand.TinyImage;

    public Quantity? Memory { get; init; }

    public int Cpus { get; init; } = 1;

    /// <summary>Appended to the kernel's command line; null when not given.</summary>
    public string? KernelArguments { get; init; }

    /// <summary>Cloud-init's user data.</summary>
    public string? UserData { get; init; }

    public bool Started { get; init; } = true;
}

internal static class VmCreateCommand
{
    /// <summary>Ready-made guests, whose way to boot is known here. Any other image is a disk that boots by itself.</summary>
    public const string TinyImage = "tiny";
    public const string DebianImage = "debian";

    public static Command Build(CommandContext context)
    {
        var name = new Argument<string>("NAME") { Description = "Name of the new machine: lower-case letters, digits and '-'" };
        var image = new Option<string>("--image") { Description = "Image to boot; 'tiny' and 'debian' are ready-made", HelpName = "IMAGE", DefaultValueFactory = _ => TinyImage };
        image.CompletionSources.Add(TinyImage, DebianImage);
        var memory = new Option<Quantity?>("--memory")
        {
            Description = "Memory of the guest, for example 512Mi or 2Gi (default: 256Mi for tiny, 512Mi otherwise)",
            HelpName = "SIZE",
            CustomParser = Arguments.Quantity,
        };
        var cpus = new Option<int>("--cpus") { Description = "CPUs of the guest", HelpName = "N", DefaultValueFactory = _ => 1 };
        var kernelArguments = new Option<string?>("--kernel-args") { Description = "More for the kernel's command line (tiny, debian)", HelpName = "TEXT" };
        var userData = new Option<FileInfo?>("--user-data") { Description = "File with cloud-init user data", HelpName = "FILE" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Print the manifest instead of creating the machine" };
        var stopped = new Option<bool>("--stopped") { Description = "Do not start it" };
        var wait = new WaitOptions("Wait until the guest runs");
        var command = new Command("create", "Create a virtual machine and start it") { name, image, memory, cpus, kernelArguments, userData, stopped, dryRun };
        wait.AddTo(command);
        Help.Add(
            command,
            [
                ("godwit vm create web", "the guest 'tiny', running in seconds"),
                ("godwit vm create db --image debian --memory 1Gi", "a whole Debian"),
                ("godwit vm create busy --kernel-args 'tiny.rate=100M tiny.set=128M'", "a guest that keeps rewriting its memory"),
                ("godwit vm create web --dry-run > web.yaml", "a manifest to start from"),
            ],
            "For everything else a machine can be, write a manifest and use kubectl apply -f.");
        context.Act(command, async (session, parsed, stopping) =>
        {
            var wish = new VmWish(parsed.GetRequiredValue(name), session.Namespace)
            {
                Image = parsed.GetValue(image)!,
                Memory = parsed.GetValue(memory),
                Cpus = parsed.GetValue(cpus),
                KernelArguments = parsed.GetValue(kernelArguments),
                UserData = await Arguments.ReadTextAsync(parsed.GetValue(userData), "user data", stopping),
                Started = !parsed.GetValue(stopped),
            };
            if (parsed.GetValue(dryRun))
            {
                var form = session.Format == OutputFormat.Json ? OutputFormat.Json : OutputFormat.Yaml;
                new Printer(context.Environment, form).Document(GodwitJson.ToObject(Manifest(wish)));
                return ExitCodes.Done;
            }

            var created = await session.Client.For<VirtualMachine>().CreateAsync(Manifest(wish), stopping);
            if (wish.Started && wait.IsAsked(parsed))
            {
                created = await VmWaits.UntilRunningAsync(session, wish.Name, wait.Bound(parsed), stopping);
            }

            session.Printer.Object(created, output => output.WriteLine($"{wish.Name} created{(wish.Started ? created.Status.Ready == true ? ", running" : ", starting" : "")}"));
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>The machine as an object; the same that the examples' manifests make.</summary>
    internal static VirtualMachine Manifest(VmWish wish)
    {
        var labels = new Dictionary<string, string> { ["app"] = wish.Name };
        return new VirtualMachine
        {
            Metadata = new ObjectMeta { Name = wish.Name, Namespace = wish.Namespace },
            Spec = new VirtualMachineSpec
            {
                RunStrategy = wish.Started ? RunStrategies.Always : RunStrategies.Halted,
                Template = new VirtualMachineInstanceTemplate { Metadata = new ObjectMeta { Labels = labels }, Spec = Guest(wish) },
            },
        };
    }

    private static VirtualMachineInstanceSpec Guest(VmWish wish)
    {
        var disks = wish.Image == TinyImage ? [] : new List<Disk> { VirtioDisk("root") };
        var volumes = wish.Image == TinyImage ? [] : new List<Volume> { new() { Name = "root", ContainerDisk = new ContainerDiskSource { Image = wish.Image } } };
        if (wish.UserData is not null)
        {
            disks.Add(VirtioDisk("seed"));
            volumes.Add(new Volume { Name = "seed", CloudInitNoCloud = new CloudInitNoCloudSource { UserData = wish.UserData } });
        }

        return new VirtualMachineInstanceSpec
        {
            Domain = new DomainSpec
            {
                Cpu = new Cpu { Cores = wish.Cpus },
                Memory = new Memory { Guest = wish.Memory ?? Quantity.Parse(wish.Image == TinyImage ? "256Mi" : "512Mi") },
                Devices = new Devices { Disks = disks, Interfaces = [new Interface { Name = "default", Bridge = new InterfaceBridge() }] },
                Firmware = KernelArgumentsOf(wish) is { } arguments
                    ? new Firmware { KernelBoot = new KernelBoot { Container = new KernelBootContainer { Image = wish.Image, KernelPath = "/vmlinuz", InitrdPath = "/initrd" }, KernelArgs = arguments } }
                    : null,
            },
            Networks = [new Network { Name = "default", Pod = new PodNetwork() }],
            Volumes = volumes,
        };
    }

    private static Disk VirtioDisk(string name) => new() { Name = name, Target = new DiskTarget { Bus = "virtio" } };

    private static string? KernelArgumentsOf(VmWish wish)
    {
        var own = wish.Image switch
        {
            TinyImage => "console=ttyS0 quiet",
            DebianImage => "root=LABEL=godwit-root rw console=ttyS0",
            _ => null,
        };
        return own is null
            ? wish.KernelArguments is null ? null : throw new CliException($"--kernel-args is for tiny and debian: the image '{wish.Image}' boots its own kernel", ExitCodes.Usage)
            : wish.KernelArguments is { Length: > 0 } more ? $"{own} {more}" : own;
    }
}
