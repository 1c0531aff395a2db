namespace Godwit.Containers;

/// <summary>A request that the engine refuses, in words for the one who asked.</summary>
public abstract class ContainerException(string words, Exception? cause = null) : Exception(words, cause);

/// <summary>There is no such container, network, volume, execution or path.</summary>
public sealed class NotThereException(string words, Exception? cause = null) : ContainerException(words, cause);

/// <summary>What was asked for does not go together with how things stand.</summary>
public sealed class ConflictException(string words, Exception? cause = null) : ContainerException(words, cause);

/// <summary>What was asked for is no sense, or something that the engine does not do.</summary>
public sealed class InvalidRequestException(string words, Exception? cause = null) : ContainerException(words, cause);

/// <summary>It is already as asked (started, stopped): nothing was done.</summary>
public sealed class NothingToDoException(string words) : ContainerException(words);

/// <summary>The container, or a program in it, could not be started.</summary>
/// <param name="code">125: the engine failed; 126: the program cannot be executed; 127: there is no such program.</param>
public sealed class ContainerStartException(int code, string words, Exception? cause = null) : ContainerException(words, cause)
{
    public int Code { get; } = code;
}
