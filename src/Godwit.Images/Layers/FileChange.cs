namespace Godwit.Images.Layers;

/// <summary>The numbers are Docker's.</summary>
public enum ChangeKind
{
    Modified = 0,
    Added = 1,
    Deleted = 2,
}

/// <summary>How a container's root differs from its image's at one path.</summary>
/// <param name="Path">Absolute, as the container sees it.</param>
/// <param name="Kind">What happened to it.</param>
public readonly record struct FileChange(string Path, ChangeKind Kind);
