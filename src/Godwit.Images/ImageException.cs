namespace Godwit.Images;

/// <summary>Whose fault it is, for whoever maps it to a status code or an exit code.</summary>
public enum ImageErrorKind
{
    /// <summary>The image, container layer or content is not here, or not at the registry.</summary>
    NotFound,

    /// <summary>It is in use, or another has this name.</summary>
    Conflict,

    /// <summary>What was asked for makes no sense: a name, a platform, an option.</summary>
    Invalid,

    /// <summary>The registry wants (other) credentials.</summary>
    Unauthorized,

    /// <summary>What was read is not what it claims to be: a wrong digest, a tar that leads out of its place, a bomb.</summary>
    Corrupt,

    /// <summary>The registry cannot be reached, or failed again and again.</summary>
    Unavailable,

    /// <summary>The host failed: the disk is full, a mount was refused.</summary>
    Host,
}

/// <summary>An image, layer or archive that cannot be had, made or kept: what was tried, on what, why it failed and what to do.</summary>
public sealed class ImageException : Exception
{
    public ImageException(ImageErrorKind kind, string message)
        : base(message) => Kind = kind;

    public ImageException(ImageErrorKind kind, string message, Exception cause)
        : base(message, cause) => Kind = kind;

    public ImageErrorKind Kind { get; }
}
