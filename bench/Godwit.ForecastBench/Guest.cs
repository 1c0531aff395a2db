namespace Godwit.ForecastBench;

/// <summary>A guest and what it writes to its memory: an image, with the settings of its writer or the real program that it runs.</summary>
internal sealed record Guest(string Name, int MemoryMiB, string Writer, string Image = "tiny")
{
    public static IReadOnlyList<Guest> All { get; } =
    [
        new("idle", 512, "tiny.rate=0 tiny.set=64M tiny.ballast=128M"),
        new("light", 384, "tiny.rate=5M tiny.set=32M tiny.ballast=64M"),
        new("sequential", 512, "tiny.rate=20M tiny.set=64M tiny.ballast=128M"),
        new("random", 512, "tiny.rate=15M tiny.set=128M tiny.ballast=64M tiny.pattern=random"),
        new("hotcold", 768, "tiny.rate=20M tiny.set=192M tiny.ballast=128M tiny.pattern=hotcold"),
        new("bursty", 512, "tiny.rate=10M tiny.set=64M tiny.ballast=128M tiny.pattern=bursty"),
        new("fast", 512, "tiny.rate=-1 tiny.set=128M tiny.ballast=64M"),
        new("database", 384, "tiny.program=database", "programs"),
        new("compressor", 512, "tiny.program=compressor", "programs"),
        new("web", 256, "tiny.program=web", "programs"),
    ];

    public static Guest Named(string name) => All.FirstOrDefault(guest => guest.Name == name)
        ?? throw new ArgumentException($"'{name}' is no guest: {string.Join(", ", All.Select(guest => guest.Name))}");
}
