namespace Godwit.Node.Peers;

/// <summary>Talking to another agent failed: what was tried, with whom, why. Nothing may be concluded from it about what the peer did.</summary>
internal sealed class PeerException : Exception
{
    public PeerException(string message)
        : base(message)
    {
    }

    public PeerException(string message, Exception cause)
        : base(message, cause)
    {
    }
}

/// <summary>The peer understood and said no: its answer is known. Thrown by a <see cref="PeerMethods"/> handler to refuse, and by the caller's end when refused.</summary>
internal sealed class PeerRefusedException(string code, string message) : Exception(message)
{
    /// <summary>A stable word for programs, such as <c>NotOwner</c>; the message is for people.</summary>
    public string Code { get; } = code;
}

/// <summary>The refusal codes of the transport itself; methods add their own.</summary>
internal static class PeerRefusal
{
    public const string UnknownMethod = "UnknownMethod";
    public const string BadRequest = "BadRequest";
    public const string Busy = "Busy";
    public const string Internal = "Internal";
    public const string UnknownStream = "UnknownStream";
    public const string NotAllowed = "NotAllowed";
}
