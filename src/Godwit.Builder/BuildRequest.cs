using Godwit.Images;
using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.Builder;

/// <summary>What to build, of what, and how.</summary>
public sealed record BuildRequest
{
    /// <summary>The context, unpacked: a folder that nobody changes while the build runs. Links in it are followed inside it only.</summary>
    public required string ContextFolder { get; init; }

    /// <summary>The Dockerfile's text.</summary>
    public required string Dockerfile { get; init; }

    /// <summary>What the image is to be called.</summary>
    public IReadOnlyList<ImageReference> Names { get; init; } = [];

    /// <summary>The stage to stop at; null is the last.</summary>
    public string? Target { get; init; }

    /// <summary>Values for ARG. A null value takes the default.</summary>
    public IReadOnlyDictionary<string, string?> Arguments { get; init; } = new Dictionary<string, string?>(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Carry out every step, even if its result is known.</summary>
    public bool NoCache { get; init; }

    /// <summary>Ask the registries for base images even if they are here.</summary>
    public bool AlwaysPull { get; init; }

    public Platform? Platform { get; init; }

    /// <summary>For RUN without one of its own: <c>default</c>, <c>none</c> or <c>host</c>.</summary>
    public string Network { get; init; } = "default";

    /// <summary>What <c>RUN --mount=type=secret</c> may see, by id. Never in the image, the cache's key or a log.</summary>
    public IReadOnlyDictionary<string, byte[]> Secrets { get; init; } = new Dictionary<string, byte[]>(StringComparer.Ordinal);

    /// <summary>Credentials for the registry of that name (null is the default one).</summary>
    public Func<string?, RegistryCredentials> Credentials { get; init; } = _ => new RegistryCredentials();

    /// <summary>Seconds since 1970 for every time in the image, and the latest that a file in it may have: the same inputs give the same image. Null is the clock. Also read from the argument SOURCE_DATE_EPOCH.</summary>
    public long? SourceDateEpochSeconds { get; init; }
}

/// <summary>What happens in a build, for people. Stages are built at the same time: each event says which step it is of.</summary>
public abstract record BuildEvent
{
    private BuildEvent()
    {
    }

    /// <param name="Number">From 1 on, in the Dockerfile's order.</param>
    /// <param name="Count">Of all that are carried out.</param>
    public sealed record StepBegins(int Number, int Count, string Text) : BuildEvent;

    /// <summary>Its result was known.</summary>
    public sealed record StepCached(int Number) : BuildEvent;

    /// <summary>What the step's program printed.</summary>
    public sealed record StepPrints(int Number, bool IsError, byte[] Bytes) : BuildEvent;

    public sealed record StepEnds(int Number, Digest Image) : BuildEvent;

    public sealed record Pulls(ImageReference Name, TransferProgress Progress) : BuildEvent;

    public sealed record Warns(string Text) : BuildEvent;

    public sealed record Built(Digest Image, IReadOnlyList<ImageReference> Names) : BuildEvent;
}
