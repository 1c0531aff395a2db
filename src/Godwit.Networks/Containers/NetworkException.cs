namespace Godwit.Networks.Containers;

/// <summary>A network that cannot be had, made or changed as asked, in words for the one who asked.</summary>
public sealed class NetworkException(string words, Exception? cause = null) : Exception(words, cause)
{
    /// <summary>There is no such network.</summary>
    public bool IsMissing { get; init; }

    /// <summary>What was asked for has no meaning, whatever networks there are: a name that is none, for example.</summary>
    public bool IsInvalid { get; init; }
}
