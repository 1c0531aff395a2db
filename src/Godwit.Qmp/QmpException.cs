namespace Godwit.Qmp;

/// <summary>
/// A QMP conversation that did not succeed. The four kinds differ in what the caller may conclude:
/// <see cref="QmpCommandException"/> QEMU refused (nothing was done); <see cref="QmpTimeoutException"/> no answer yet
/// (it may still be done); <see cref="QmpClosedException"/> the connection ended; <see cref="QmpProtocolException"/>
/// the peer broke the protocol, and the connection was ended for it.
/// </summary>
public abstract class QmpException : Exception
{
    private protected QmpException(string message, Exception? cause)
        : base(message, cause)
    {
    }
}

/// <summary>QEMU answered with an error: <see cref="ErrorClass"/> and <see cref="Description"/> are its own words.</summary>
public sealed class QmpCommandException(string command, string errorClass, string description)
    : QmpException($"QEMU refused '{command}': {description}", null)
{
    public string Command { get; } = command;

    public string ErrorClass { get; } = errorClass;

    public string Description { get; } = description;
}

/// <summary>QEMU did not answer within the bound. The command may yet be carried out; its late reply is discarded.</summary>
public sealed class QmpTimeoutException(string command, TimeSpan bound, string circumstance)
    : QmpException($"QEMU did not answer '{command}' within {bound.TotalSeconds:0.###} s ({circumstance}).", null)
{
    public string Command { get; } = command;

    public TimeSpan Bound { get; } = bound;
}

/// <summary>The connection ended: QEMU exited or closed it, or its owner disposed of it.</summary>
public sealed class QmpClosedException(string message, Exception? cause = null) : QmpException(message, cause);

/// <summary>The peer sent what no QEMU sends. The connection is unusable from then on.</summary>
public sealed class QmpProtocolException(string message, Exception? cause = null) : QmpException(message, cause);
