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
}
