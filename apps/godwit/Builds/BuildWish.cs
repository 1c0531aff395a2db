namespace Godwit.App.Builds;

/// <summary>What <c>godwit build</c> is told.</summary>
internal sealed record BuildWish
{
    /// <summary>The folder whose files the build may copy.</summary>
    public required string Context { get; init; }

    /// <summary>Null: <c>Dockerfile</c> in the context.</summary>
    public string? Dockerfile { get; init; }

    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>A null value is one that the environment does not have: the build's own default holds.</summary>
    public IReadOnlyDictionary<string, string?> Arguments { get; init; } = new Dictionary<string, string?>(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>What <c>RUN --mount=type=secret</c> may see, by id.</summary>
    public IReadOnlyDictionary<string, byte[]> Secrets { get; init; } = new Dictionary<string, byte[]>(StringComparer.Ordinal);

    public string? Target { get; init; }

    public string? Network { get; init; }

    public bool NoCache { get; init; }

    public bool Pull { get; init; }
}
