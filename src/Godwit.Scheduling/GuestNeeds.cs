namespace Godwit.Scheduling;

/// <summary>What one guest asks of any node that is to run it, taken from its object once.</summary>
public sealed record GuestNeeds
{
    /// <summary>
    /// A CPU of a guest that asks for nothing in particular reserves a tenth of a core, KubeVirt's ratio: most guests idle.
    /// </summary>
    public const int MillicoresForEachCpu = 100;

    /// <summary>The memory of a guest that says nothing.</summary>
    public const long MemoryBytesDefault = 512L << 20;

    // Numbers come from users: beyond these no node can hold the guest, and sums of them cannot overflow.
    private const long MemoryBytesMax = 1L << 50;
    private const long MillicoresMax = 1L << 40;
    private const int CpuCountMax = 1 << 16;

    /// <summary>namespace/name, for people.</summary>
    public required string Guest { get; init; }

    /// <summary>Memory with QEMU's own, and CPU.</summary>
    public required ResourceAmount Amount { get; init; }

    public IReadOnlyDictionary<string, string> NodeSelector { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<Toleration> Tolerations { get; init; } = [];

    /// <summary>QEMU's versioned machine type, or null when any of the node's own will do.</summary>
    public string? MachineType { get; init; }

    /// <summary>Images that must be on the node, by the names of their folders there: <c>name</c>, or <c>name-tag</c>.</summary>
    public IReadOnlyList<string> Images { get; init; } = [];

    /// <summary>True when it is plugged into the cluster's network.</summary>
    public bool IsNetworked { get; init; }

    /// <summary>A guest's memory is its own by its request, and whether its disk fits its node's agent says before it starts anything.</summary>
    private static readonly Toleration[] Pressures =
    [
        new() { Key = TaintKeys.MemoryPressure, Operator = "Exists", Effect = TaintEffects.NoSchedule },
        new() { Key = TaintKeys.DiskPressure, Operator = "Exists", Effect = TaintEffects.NoSchedule },
    ];

    public static GuestNeeds Of(VirtualMachineInstance vmi)
    {
        var domain = vmi.Spec.Domain;
        var cpuCount = CpuCount(domain.Cpu);
        var memoryBytes = MemoryBytes(domain);
        var millicores = domain.Resources?.Requests.TryGetValue(Quantities.Cpu, out var asked) == true
            ? Math.Clamp(asked.ToMilli(), 0, MillicoresMax)
            : (long)cpuCount * MillicoresForEachCpu;
        return new GuestNeeds
        {
            Guest = $"{vmi.Metadata.Namespace}/{vmi.Metadata.Name}",
            Amount = new ResourceAmount(memoryBytes + ResourceAmount.OverheadBytes(memoryBytes, cpuCount), millicores),
            NodeSelector = vmi.Spec.NodeSelector,
            Tolerations = [.. vmi.Spec.Tolerations, .. Pressures],
            MachineType = VersionedMachineType(vmi),
            Images = [.. ImagesOf(vmi.Spec).Where(image => !GuestImageNames.IsPulled(image)).Select(ImageFolder).Distinct(StringComparer.Ordinal)],
            IsNetworked = domain.Devices.Interfaces.Count > 0 || domain.Devices.AutoattachPodInterface != false,
        };
    }

    /// <summary>How many CPUs the guest sees: sockets × cores × threads.</summary>
    public static int CpuCount(Cpu? cpu)
    {
        static long Part(int? value) => Math.Clamp(value ?? 1, 1, CpuCountMax);
        return (int)Math.Min(Part(cpu?.Cores) * Part(cpu?.Sockets) * Part(cpu?.Threads), CpuCountMax);
    }

    /// <summary>The guest's memory as the guest sees it, in bytes.</summary>
    public static long MemoryBytes(DomainSpec domain) => Math.Clamp(AskedMemoryBytes(domain), 0, MemoryBytesMax);

    private static long AskedMemoryBytes(DomainSpec domain) =>
        domain.Memory?.Guest is { } guest ? guest.ToInt64()
        : domain.Resources?.Requests.TryGetValue(Quantities.Memory, out var asked) == true ? asked.ToInt64()
        : MemoryBytesDefault;

    /// <summary>A name such as <c>pc-q35-10.0</c>; an alias (<c>q35</c>) is each node's own newest and binds to none.</summary>
    private static string? VersionedMachineType(VirtualMachineInstance vmi)
    {
        var type = vmi.Status.Machine?.Type is { Length: > 0 } running ? running : vmi.Spec.Domain.Machine?.Type;
        return !string.IsNullOrEmpty(type) && char.IsAsciiDigit(type[^1]) && type.Contains('.', StringComparison.Ordinal) ? type : null;
    }

    private static string ImageFolder(string image)
    {
        var colon = image.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? image : image[(colon + 1)..] == "latest" ? image[..colon] : $"{image[..colon]}-{image[(colon + 1)..]}";
    }

    private static IEnumerable<string> ImagesOf(VirtualMachineInstanceSpec spec)
    {
        if (spec.Domain.Firmware?.KernelBoot?.Container?.Image is { Length: > 0 } kernel)
        {
            yield return kernel;
        }

        foreach (var image in spec.Volumes.Select(volume => volume.ContainerDisk?.Image).OfType<string>().Where(image => image.Length > 0))
        {
            yield return image;
        }
    }
}
