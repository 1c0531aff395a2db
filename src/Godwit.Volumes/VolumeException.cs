namespace Godwit.Volumes;

/// <summary>An image, disk or seed that cannot be used or made: what was tried, on what, why it failed, what to do.</summary>
public sealed class VolumeException : Exception
{
    public VolumeException(string message)
        : base(message)
    {
    }

    public VolumeException(string message, Exception cause)
        : base(message, cause)
    {
    }

    /// <summary>There is no such volume.</summary>
    public bool IsMissing { get; init; }

    /// <summary>A container uses it.</summary>
    public bool IsInUse { get; init; }
}
