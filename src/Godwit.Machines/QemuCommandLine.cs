using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Volumes;

namespace Godwit.Machines;

/// <summary>What of a start is this host's and not the guest's: the same spec with other paths is the same machine to its guest.</summary>
internal sealed record QemuPaths(string Monitor, string Rescue, string Console);

/// <summary>
/// QEMU's arguments, pure. The guest-visible part must be the same on both ends of a move, so nothing is left to QEMU's
/// choice: no default devices, a versioned machine type, and a fixed PCI slot for each device.
/// <code>
///   slot  0        the chipset
///         3 – 10   NICs in their order
///         16 – 27  disks in their order
///         29       random numbers
/// </code>
/// </summary>
internal static class QemuCommandLine
{
    public const int NicsMax = 8;
    public const int DisksMax = 12;

    private const int FirstNicSlot = 3;
    private const int FirstDiskSlot = 16;
    private const int RandomSlot = 29;
    private const int SerialLengthMax = 20;

    /// <summary>Translated code of one guest under TCG. QEMU would take up to a gigabyte; the cgroup counts it.</summary>
    public const int TranslationBufferMiB = 256;

    public static IReadOnlyList<string> Build(MachineSpec spec, QemuPaths paths, Accelerator accelerator, MachineStart start)
    {
        var bus = spec.MachineType.StartsWith("pc-q35-", StringComparison.Ordinal) ? "pcie.0" : "pci.0";
        List<string> arguments =
        [
            "-no-user-config", "-nodefaults", "-display", "none",
            "-name", Options("", ("guest", spec.DisplayName), ("debug-threads", "on"))[1..],
            "-uuid", spec.Id.ToString(),

            // Nothing runs before an order. A guest that shuts down leaves QEMU paused, so that even an agent that was away learns why.
            "-S", "-action", "reboot=reset,shutdown=pause,panic=pause",
            "-msg", "timestamp=on",

            "-machine", Options(spec.MachineType, ("usb", "off"), ("vmport", "off"), ("dump-guest-core", "off")),
            "-accel", accelerator is Accelerator.Kvm ? "kvm" : $"tcg,thread=multi,tb-size={TranslationBufferMiB}",
            "-cpu", spec.CpuModel,
            "-m", Text($"{spec.MemoryBytes >> 20}M"),
            "-smp", Text($"cpus={spec.CpuCount},sockets=1,cores={spec.CpuCount},threads=1,maxcpus={spec.CpuCount}"),
            "-rtc", "base=utc", "-boot", "strict=on",
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",

            "-chardev", Options("socket", ("id", "monitor"), ("path", paths.Monitor), ("server", "on"), ("wait", "off")),
            "-mon", "chardev=monitor,mode=control",
            "-chardev", Options("pipe", ("id", "rescue"), ("path", paths.Rescue)),
            "-mon", "chardev=rescue,mode=control",
            "-chardev", Options("socket", ("id", "console"), ("path", paths.Console), ("server", "on"), ("wait", "off")),
            "-chardev", Options("ringbuf", ("id", ConsoleLog.Device), ("size", Text($"{ConsoleLog.WaitingBytesMax}"))),
            "-chardev", Options("hub", ("id", "serial"), ("chardevs.0", "console"), ("chardevs.1", ConsoleLog.Device)),
            "-serial", "chardev:serial",
            "-object", "rng-random,id=random,filename=/dev/urandom",
            "-device", Text($"virtio-rng-pci,id=rng,rng=random,bus={bus},addr=0x{RandomSlot:x}"),
        ];

        if (spec.Kernel is { } kernel)
        {
            arguments.AddRange(["-kernel", kernel.KernelPath, "-append", kernel.CommandLine]);
            if (kernel.InitrdPath is { } initrd)
            {
                arguments.AddRange(["-initrd", initrd]);
            }
        }

        for (var index = 0; index < spec.Nics.Count; index++)
        {
            AddNic(arguments, spec.Nics[index], index, bus);
        }

        for (var index = 0; index < spec.Disks.Count; index++)
        {
            AddDisk(arguments, spec.Disks[index], index, bus);
        }

        if (start is MachineStart.Incoming)
        {
            arguments.AddRange(["-incoming", "defer"]);
        }

        return arguments;
    }

    private static void AddNic(List<string> arguments, MachineNic nic, int index, string bus)
    {
        arguments.AddRange(["-netdev", Options("tap", ("id", Text($"net{index}")), ("ifname", nic.TapName), ("script", "no"), ("downscript", "no"), ("vhost", "off"))]);
        var device = new List<(string, string)>
        {
            ("id", Text($"nic{index}")), ("netdev", Text($"net{index}")), ("mac", nic.MacAddress), ("bus", bus), ("addr", Text($"0x{FirstNicSlot + index:x}")),

            // No boot ROM: no network boot, and none of its bytes in the migration stream.
            ("romfile", ""),
        };
        if (nic.MtuBytes is { } mtu)
        {
            device.Add(("host_mtu", Text($"{mtu}")));
        }

        arguments.AddRange(["-device", Options("virtio-net-pci", [.. device])]);
    }

    private static void AddDisk(List<string> arguments, MachineDisk disk, int index, string bus)
    {
        var node = DiskNode(index);
        arguments.AddRange(["-blockdev", FileNode(node, disk).ToJsonString(), "-blockdev", FormatNode(node, disk).ToJsonString()]);
        var device = new List<(string, string)>
        {
            ("id", Text($"virtio-{node}")), ("drive", node), ("bus", bus), ("addr", Text($"0x{FirstDiskSlot + index:x}")),
            ("serial", disk.Name[..Math.Min(disk.Name.Length, SerialLengthMax)]),

            // A full host disk stops the guest, which can go on when there is room again; an error would corrupt its file system.
            ("werror", "stop"), ("rerror", "report"),
        };
        if (disk.BootOrder is { } order)
        {
            device.Add(("bootindex", Text($"{order}")));
        }

        arguments.AddRange(["-device", Options("virtio-blk-pci", [.. device])]);
    }

    /// <summary>The file, locked by QEMU against a second writer on this host (and, with most shared file systems, on another).</summary>
    private static JsonObject FileNode(string node, MachineDisk disk) => new()
    {
        ["driver"] = "file",
        ["node-name"] = node + "-file",
        ["filename"] = disk.Path,
        ["locking"] = "on",
        ["aio"] = "threads",
        ["discard"] = "unmap",
        ["read-only"] = disk.ReadOnly,
    };

    /// <summary>The format is said, never guessed: what a guest writes must not change what QEMU takes its disk for.</summary>
    private static JsonObject FormatNode(string node, MachineDisk disk) => new()
    {
        ["driver"] = DiskImage.Word(disk.Format),
        ["node-name"] = node,
        ["file"] = node + "-file",
        ["discard"] = "unmap",
        ["read-only"] = disk.ReadOnly,
    };

    /// <summary>The name of a disk's block node.</summary>
    internal static string DiskNode(int index) => Text($"disk{index}");

    /// <summary>QEMU's option syntax: a comma inside a value is doubled.</summary>
    private static string Options(string first, params ReadOnlySpan<(string Key, string Value)> options)
    {
        var text = new System.Text.StringBuilder(first);
        foreach (var (key, value) in options)
        {
            text.Append(',').Append(key).Append('=').Append(value.Replace(",", ",,", StringComparison.Ordinal));
        }

        return text.ToString();
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
