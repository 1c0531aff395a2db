using System.Net;
using Godwit.Api.KubeVirt.V1;
using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>One thing in a guest's spec that this node cannot do; <see cref="Path"/> as in <c>spec.domain.cpu.model</c>.</summary>
internal sealed record SpecProblem(string Path, string Detail)
{
    public override string ToString() => $"{Path}: {Detail}";
}

/// <summary>What stands behind a disk.</summary>
internal abstract record DiskSource
{
    private DiskSource()
    {
    }

    /// <summary>A private layer over an image's disk.</summary>
    /// <param name="Reference">The image's name.</param>
    /// <param name="Path">The disk's file in it; null: the one that is meant when nothing is said.</param>
    public sealed record Image(string Reference, string? Path = null) : DiskSource
    {
        public ImagePull Pull { get; init; } = ImagePull.AsUsual;
    }

    /// <param name="Path">On the host, inside an opened folder.</param>
    /// <param name="CreateBytes">The size to make it with when it is not there; null: it must be there.</param>
    public sealed record HostFile(string Path, long? CreateBytes) : DiskSource;

    public sealed record Empty(long SizeBytes) : DiskSource;

    /// <summary>Kept as the API has it: user data may hold secrets and are read only when the seed is made.</summary>
    public sealed record CloudInit(CloudInitNoCloudSource Data) : DiskSource;
}

internal sealed record DiskWish(string Name, DiskSource Source, bool ReadOnly, int? BootOrder);

internal sealed record NicWish(string Name, string MacAddress, IPAddress Address);

internal sealed record KernelWish(string Image, string? KernelPath, string? InitrdPath, string? CommandLine)
{
    public ImagePull Pull { get; init; } = ImagePull.AsUsual;
}

/// <summary>How an image is pulled, where it is.</summary>
/// <param name="Policy"><c>Always</c>, <c>IfNotPresent</c> or <c>Never</c>; null: by its tag.</param>
/// <param name="Secret">In the guest's namespace; null: none.</param>
internal sealed record ImagePull(string? Policy, string? Secret)
{
    public static ImagePull AsUsual { get; } = new(null, null);
}

/// <summary>
/// A guest as this host is to build it, translated from KubeVirt's words and checked, before anything is made. Pure: the
/// same object and host facts give the same blueprint, on the source of a move and on its target.
/// </summary>
internal sealed record GuestBlueprint
{
    public required MachineId Id { get; init; }

    public required string DisplayName { get; init; }

    public required string HostName { get; init; }

    public required int CpuCount { get; init; }

    public required long MemoryBytes { get; init; }

    public required string MachineType { get; init; }

    public required string CpuModel { get; init; }

    public KernelWish? Kernel { get; init; }

    public required IReadOnlyList<DiskWish> Disks { get; init; }

    public required IReadOnlyList<NicWish> Nics { get; init; }
}
