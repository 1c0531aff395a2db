using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of a guest's hardware, networks and volumes. What KubeVirt knows beyond these is refused by its path.</summary>
internal static class DomainSchemas
{
    private const string Prefix = "io.kubevirt.v1.";
    private const string ImageWords = "The image: with a slash or a digest one that is pulled, as for containers; else one of the node's images folder.";
    private const string PolicyWords = "When an image with a slash or a digest is pulled; Always for the tag latest, else IfNotPresent, when not said.";
    private const string SecretWords = "A secret of the guest's namespace with credentials for the registry.";

    private static readonly ObjectSchema Cpu = new(
        Prefix + "CPU",
        "The guest sees sockets times cores times threads CPUs.",
        Field("cores", Integer32, "Cores in each socket; 1 when not said."),
        Field("sockets", Integer32, "Sockets; 1 when not said."),
        Field("threads", Integer32, "Threads in each core; 1 when not said."),
        Field("model", Text, "A QEMU CPU model, host-model or host-passthrough."));

    private static readonly ObjectSchema Memory = new(
        Prefix + "Memory",
        "The guest's memory.",
        Field("guest", Quantity, "What the guest sees, in bytes; resources.requests.memory when not said."));

    private static readonly ObjectSchema Machine = new(
        Prefix + "Machine",
        "The chipset.",
        Field("type", Text, "A QEMU machine type, for example q35 or pc-q35-10.0."));

    private static readonly ObjectSchema KernelBootContainer = new(
        Prefix + "KernelBootContainer",
        "The image that kernel and initrd are taken from.",
        Field("image", Text, ImageWords).Required(),
        Field("kernelPath", Text, "The kernel's file in the image.").Required(),
        Field("initrdPath", Text, "The initrd's file in the image."),
        Field("imagePullPolicy", OneOf("Always", "IfNotPresent", "Never"), PolicyWords),
        Field("imagePullSecret", Text, SecretWords));

    private static readonly ObjectSchema Firmware = new(
        Prefix + "Firmware",
        "How the guest boots.",
        Field("kernelBoot", new ObjectSchema(
            Prefix + "KernelBoot",
            "Boots a kernel directly, without a boot loader.",
            Field("container", KernelBootContainer, "Where the kernel is.").Required(),
            Field("kernelArgs", Text, "The kernel's command line.")), "Boots a kernel directly."));

    private static readonly ObjectSchema Disk = new(
        Prefix + "Disk",
        "A disk of the guest; its content is the volume of the same name.",
        Field("name", Text, "Joins the volume of the same name.").Required(),
        Field("disk", new ObjectSchema(
            Prefix + "DiskTarget",
            "A hard disk.",
            Field("bus", OneOf("virtio"), "How it is attached."),
            Field("readonly", Flag, "True: the guest cannot write to it.")), "Shown to the guest as a hard disk; the default."),
        Field("cdrom", new ObjectSchema(
            Prefix + "CDRomTarget",
            "A medium that the guest cannot write to.",
            Field("bus", OneOf("virtio"), "How it is attached."),
            Field("readonly", Flag, "True, whatever is said.")), "Shown to the guest as a disk that it cannot write to."),
        Field("bootOrder", Integer32, "1 is tried first."));

    private static readonly ObjectSchema Interface = new(
        Prefix + "Interface",
        "A network card of the guest.",
        Field("name", Text, "Joins the network of the same name.").Required(),
        Field("model", OneOf("virtio"), "The card's model."),
        Field("macAddress", Text, "Six bytes in hexadecimal with colons; given out by the cluster when not said."),
        Field("bridge", new ObjectSchema(Prefix + "InterfaceBridge", "No settings."), "Plugged straight into the network's segment; the default."));

    private static readonly ObjectSchema Devices = new(
        Prefix + "Devices",
        "The guest's devices.",
        Field("disks", ListByKey(Disk, "name"), "Disks.").Merged("name"),
        Field("interfaces", ListByKey(Interface, "name"), "Network cards.").Merged("name"),
        Field("autoattachPodInterface", Flag, "False: no network card when none is named. Otherwise there is one."),
        Field("autoattachSerialConsole", Flag, "Every guest has a serial console: only true is supported."),
        Field("autoattachGraphicsDevice", Flag, "No guest has a graphics card: only false is supported."),
        Field("autoattachMemBalloon", Flag, "No guest has a memory balloon: only false is supported."));

    private static readonly ObjectSchema Domain = new(
        Prefix + "DomainSpec",
        "The virtual hardware.",
        Field("cpu", Cpu, "The CPUs."),
        Field("memory", Memory, "The memory."),
        Field("resources", new ObjectSchema(
            Prefix + "ResourceRequirements",
            "What the scheduler reserves.",
            Field("requests", QuantityMap, "cpu in cores, memory in bytes.")), "What the scheduler reserves."),
        Field("machine", Machine, "The chipset."),
        Field("firmware", Firmware, "How it boots."),
        Field("devices", Devices, "Disks, network cards and the rest.").Required());

    private static readonly ObjectSchema Network = new(
        Prefix + "Network",
        "Where network cards are plugged in.",
        Field("name", Text, "Joins the interface of the same name.").Required(),
        Field("pod", new ObjectSchema(Prefix + "PodNetwork", "No settings."), "The cluster's own network.").Required());

    private static readonly ObjectSchema CloudInit = new(
        Prefix + "CloudInitNoCloudSource",
        "A seed for cloud-init's NoCloud data source. Each part is given in one way only.",
        Field("userData", Text, "User data as text."),
        Field("userDataBase64", Text, "User data in base64."),
        Field("networkData", Text, "Network data as text."),
        Field("networkDataBase64", Text, "Network data in base64."),
        Field("secretRef", VolumeSchemas.LocalObjectReference, "The Secret that holds user data under the key userdata."),
        Field("networkDataSecretRef", VolumeSchemas.LocalObjectReference, "The Secret that holds network data under the key networkdata."));

    private static readonly ObjectSchema Volume = new(
        Prefix + "Volume",
        "What stands behind a disk: exactly one source.",
        Field("name", Text, "Joins the disk of the same name.").Required(),
        Field("containerDisk", new ObjectSchema(
            Prefix + "ContainerDiskSource",
            "A disk image shared by its users, each with a private layer that lives as long as the machine.",
            Field("image", Text, ImageWords).Required(),
            Field("path", Text, "The disk's file in the image; the only one in /disk when not said."),
            Field("imagePullPolicy", OneOf("Always", "IfNotPresent", "Never"), PolicyWords),
            Field("imagePullSecret", Text, SecretWords)), "A disk image."),
        Field("hostDisk", new ObjectSchema(
            Prefix + "HostDisk",
            "A file on the node, or on storage that nodes share.",
            Field("path", Text, "The file, from the root.").Required(),
            Field("type", OneOf("Disk", "DiskOrCreate"), "Whether it must be there already.").Required(),
            Field("capacity", Quantity, "Its size if it is to be created, in bytes.")), "A file on the node."),
        Field("cloudInitNoCloud", CloudInit, "A seed for cloud-init."),
        Field("emptyDisk", new ObjectSchema(
            Prefix + "EmptyDiskSource",
            "An empty disk that lives as long as the machine.",
            Field("capacity", Quantity, "Its size in bytes.").Required()), "An empty disk."));

    public static ObjectSchema MachineStatus { get; } = Machine;

    public static ObjectSchema VirtualMachineInstanceSpec { get; } = new(
        Prefix + "VirtualMachineInstanceSpec",
        "What a guest is made of.",
        Field("domain", Domain, "The virtual hardware.").Required(),
        Field("nodeSelector", TextMap, "Labels that a node must have."),
        Field("tolerations", ListOf(PodSchemas.Toleration), "Taints that are borne."),
        Field("evictionStrategy", OneOf("None", "LiveMigrate", "LiveMigrateIfPossible", "External"), "What to do with the guest when its node is emptied."),
        Field("startStrategy", OneOf("Paused"), "Paused: the guest waits for unpause before its first instruction."),
        Field("terminationGracePeriodSeconds", Integer64, "Seconds that the guest may take to shut down before it is stopped by force."),
        Field("networks", ListByKey(Network, "name"), "Where network cards are plugged in.").Merged("name"),
        Field("volumes", ListByKey(Volume, "name"), "What stands behind the disks.").Merged("name"));
}
