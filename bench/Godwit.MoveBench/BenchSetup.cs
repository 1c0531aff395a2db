using Godwit.Networks.Labs;

namespace Godwit.MoveBench;

/// <summary>What is to be measured.</summary>
internal sealed record BenchSetup
{
    public required string Program { get; init; }

    public required string ImagesFolder { get; init; }

    /// <summary>Where the guest's kernel and initramfs are.</summary>
    public required string ImageFolder { get; init; }

    public required IReadOnlyList<string> Systems { get; init; }

    public required IReadOnlyList<LinkRate> Links { get; init; }

    public required IReadOnlyList<Writer> Writers { get; init; }

    public required int Runs { get; init; }

    public required string RecordPath { get; init; }
}

/// <summary>What the guest does to its memory while it is moved: 512 MiB of it, of which about 340 MB are not zero.</summary>
internal sealed record Writer(string Name, string KernelArguments)
{
    public const int MemoryMiB = 512;

    private static readonly Writer[] All =
    [
        new("idle", "tiny.rate=0 tiny.set=64M tiny.ballast=128M"),
        new("w20", "tiny.rate=20M tiny.set=64M tiny.ballast=128M"),
        new("fast", "tiny.rate=-1 tiny.set=128M tiny.ballast=64M"),
    ];

    public static Writer Named(string name) => All.FirstOrDefault(writer => writer.Name == name)
        ?? throw new ArgumentException($"'{name}' is no writer: {string.Join(", ", All.Select(writer => writer.Name))}");
}

/// <summary>One measured move. What a system does not tell is null.</summary>
internal sealed record MoveResult
{
    public required string System { get; init; }

    public required string Link { get; init; }

    public required string Writer { get; init; }

    public required bool Succeeded { get; init; }

    /// <summary>From the command to its end, in seconds: what the operator waits for.</summary>
    public required double CommandSeconds { get; init; }

    /// <summary>The system's own word on how long the move took, in seconds.</summary>
    public double? OwnTotalSeconds { get; init; }

    /// <summary>How long the stream took as the source's QEMU counts, in seconds; null where the system does not pass it on.</summary>
    public double? StreamSeconds { get; init; }

    /// <summary>The system's own word on how long the guest stood still, in milliseconds.</summary>
    public double? OwnDowntimeMs { get; init; }

    /// <summary>The longest silence of the guest's kernel (ICMP) as the prober saw it, in milliseconds.</summary>
    public double GapKernelMs { get; init; }

    /// <summary>The longest silence of a process in the guest (UDP), in milliseconds.</summary>
    public double GapUserMs { get; init; }

    /// <summary>What left the source's link meanwhile, in bytes.</summary>
    public double WireBytes { get; init; }

    /// <summary>Others' load on the machine when the move began.</summary>
    public double LoadAverage { get; init; }

    public string Remark { get; init; } = "";
}
