using Godwit.Oci;

namespace Godwit.Images.Transfers;

/// <summary>The configuration of an image that is one step further than its parent. Pure.</summary>
internal static class NewConfig
{
    public static ImageConfig Of(ImageStep step, IReadOnlyList<Digest> diffIds, Platform standard, DateTimeOffset now)
    {
        var created = step.History.Created ?? now;
        var platform = step.Platform ?? step.Parent?.Config.Platform ?? standard;
        return new ImageConfig
        {
            Created = created,
            Author = step.Author ?? step.Parent?.Config.Author,
            Architecture = platform.Architecture,
            OperatingSystem = platform.OperatingSystem,
            Variant = platform.Variant,
            Config = step.Config,
            RootFileSystem = new RootFileSystem { DiffIds = diffIds },
            History = [.. step.Parent?.Config.History ?? [], step.History with { Created = created, EmptyLayer = step.Layer is null }],
        };
    }
}
