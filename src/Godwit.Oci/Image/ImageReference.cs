namespace Godwit.Oci;

/// <summary>
/// The name of an image as people write it, normalised as docker does: <c>[registry/]repository[:tag][@digest]</c>.
/// A name without a registry belongs to the default one, which only configuration knows (<see cref="ReferenceRules"/>).
/// </summary>
/// <param name="Registry">Host and optional port; null is the default registry.</param>
/// <param name="Repository">The whole path in that registry; for an official image with <c>library/</c> in front.</param>
/// <param name="Tag">Null where the name has none.</param>
/// <param name="Digest">Null where the name has none.</param>
public sealed record ImageReference(string? Registry, string Repository, string? Tag, Digest? Digest)
{
    public const string DefaultTag = "latest";

    internal const string OfficialPrefix = "library/";

    /// <summary>Without tag and digest, as people write it: <c>busybox</c>, <c>localhost:5000/team/app</c>.</summary>
    public string Name => Registry is not null ? $"{Registry}/{Repository}"
        : Repository.StartsWith(OfficialPrefix, StringComparison.Ordinal) && Repository.IndexOf('/', OfficialPrefix.Length) < 0 ? Repository[OfficialPrefix.Length..]
        : Repository;

    /// <summary>The same, with the tag <c>latest</c> where there is neither a tag nor a digest.</summary>
    public ImageReference WithDefaultTag() => Tag is null && Digest is null ? this with { Tag = DefaultTag } : this;

    /// <summary>As people write it.</summary>
    public override string ToString() => $"{Name}{(Tag is null ? "" : $":{Tag}")}{(Digest is null ? "" : $"@{Digest}")}";
}
