using Godwit.Api.Core.V1;
using Godwit.Base;

namespace Godwit.Api.KubeVirt.V1;

/// <summary>The virtual hardware.</summary>
public sealed record DomainSpec
{
    public Cpu? Cpu { get; init; }

    public Memory? Memory { get; init; }

    public ResourceRequirements? Resources { get; init; }

    public Machine? Machine { get; init; }

    public Firmware? Firmware { get; init; }

    public Devices Devices { get; init => field = value ?? new(); } = new();
}

/// <summary>The guest sees sockets × cores × threads CPUs; what is absent counts as one.</summary>
public sealed record Cpu
{
    public int? Cores { get; init; }

    public int? Sockets { get; init; }

    public int? Threads { get; init; }

    /// <summary>A QEMU CPU model, <c>host-model</c> or <c>host-passthrough</c>.</summary>
    public string? Model { get; init; }
}

public sealed record Memory
{
    /// <summary>What the guest sees, in bytes; resources.requests.memory when absent.</summary>
    public Quantity? Guest { get; init; }
}

/// <summary>What the scheduler reserves.</summary>
public sealed record ResourceRequirements
{
    public IReadOnlyDictionary<string, Quantity> Requests { get; init => field = value ?? Quantities.None; } = Quantities.None;
}

public sealed record Machine
{
    /// <summary>A QEMU machine type, for example <c>q35</c> or <c>pc-q35-10.0</c>.</summary>
    public string Type { get; init => field = value ?? ""; } = "";
}

public sealed record Firmware
{
    /// <summary>Boots a kernel directly, without a boot loader.</summary>
    public KernelBoot? KernelBoot { get; init; }
}

public sealed record KernelBoot
{
    public KernelBootContainer? Container { get; init; }

    /// <summary>The kernel's command line.</summary>
    public string? KernelArgs { get; init; }
}

/// <summary>The image that kernel and initrd are taken from.</summary>
public sealed record KernelBootContainer
{
    public string Image { get; init => field = value ?? ""; } = "";

    public string? KernelPath { get; init; }

    public string? InitrdPath { get; init; }

    /// <summary><c>Always</c>, <c>IfNotPresent</c> or <c>Never</c>.</summary>
    public string? ImagePullPolicy { get; init; }

    /// <summary>A Secret of the guest's namespace, <c>kubernetes.io/dockerconfigjson</c>.</summary>
    public string? ImagePullSecret { get; init; }
}

public sealed record Devices
{
    public IReadOnlyList<Disk> Disks { get; init => field = value ?? []; } = [];

    public IReadOnlyList<Interface> Interfaces { get; init => field = value ?? []; } = [];

    /// <summary>False: no interface is made when none is named. Otherwise one on the cluster's network is.</summary>
    public bool? AutoattachPodInterface { get; init; }

    public bool? AutoattachSerialConsole { get; init; }

    public bool? AutoattachGraphicsDevice { get; init; }

    public bool? AutoattachMemBalloon { get; init; }
}

/// <summary>A disk of the guest; <see cref="DiskTarget"/> when neither target is set.</summary>
public sealed record Disk
{
    /// <summary>Joins the volume of the same name.</summary>
    public string Name { get; init => field = value ?? ""; } = "";

    [System.Text.Json.Serialization.JsonPropertyName("disk")]
    public DiskTarget? Target { get; init; }

    public CdRomTarget? Cdrom { get; init; }

    /// <summary>1 is tried first; unique among disks and interfaces.</summary>
    public int? BootOrder { get; init; }
}

public sealed record DiskTarget
{
    /// <summary><c>virtio</c>.</summary>
    public string? Bus { get; init; }

    public bool? Readonly { get; init; }
}

public sealed record CdRomTarget
{
    public string? Bus { get; init; }

    public bool? Readonly { get; init; }
}

public sealed record Interface
{
    /// <summary>Joins the network of the same name.</summary>
    public string Name { get; init => field = value ?? ""; } = "";

    /// <summary><c>virtio</c>.</summary>
    public string? Model { get; init; }

    /// <summary>Six bytes, colon-separated; given out by the cluster when absent.</summary>
    public string? MacAddress { get; init; }

    /// <summary>Plugged straight into the network's segment: MAC and IP are the guest's own.</summary>
    public InterfaceBridge? Bridge { get; init; }
}

public sealed record InterfaceBridge;
