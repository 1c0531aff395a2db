using System.Net;

namespace Godwit.Oci.Distribution;

/// <summary>Why a registry did not do what it was asked.</summary>
public enum RegistryFailure
{
    /// <summary>It has no such repository, tag or content (or does not say so to this user).</summary>
    NotFound,

    /// <summary>It wants (other) credentials, or these do not suffice.</summary>
    Unauthorized,

    /// <summary>It refused for another reason that asking again will not change.</summary>
    Refused,

    /// <summary>It does not show a certificate that is believed, or does not speak TLS where it must.</summary>
    Untrusted,

    /// <summary>It could not be reached, or failed, and may do better later.</summary>
    Unavailable,

    /// <summary>Its answer is not what the protocol allows: too long, of another digest, without a needed header.</summary>
    Malformed,
}

/// <summary>A registry that could not be reached, refused, or answered wrongly.</summary>
public sealed class RegistryException : Exception
{
    public RegistryException(RegistryFailure failure, string message, Exception? cause = null)
        : base(message, cause) => Failure = failure;

    public RegistryFailure Failure { get; }

    /// <summary>The answer's status; null where there was none.</summary>
    public HttpStatusCode? Status { get; init; }

    /// <summary>How long it asked to be left alone.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
