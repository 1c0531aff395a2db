namespace Godwit.Oci;

/// <summary>Something that is not what its format says: a manifest, index, configuration, digest or name. Says what was read and what was expected.</summary>
public sealed class OciException : Exception
{
    public OciException(string message)
        : base(message)
    {
    }

    public OciException(string message, Exception cause)
        : base(message, cause)
    {
    }
}
