namespace Godwit.Client;

/// <summary>One request to the API, before an address is chosen.</summary>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">Path and query, from the slash on, already escaped.</param>
public sealed record ClusterRequest(HttpMethod Method, string Path)
{
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>The media type of <see cref="Body"/>; null when there is none.</summary>
    public string? ContentType { get; init; }

    public string Accept { get; init; } = MediaTypes.Json;

    /// <summary>True for an answer without an end: only its headers must come within the request timeout.</summary>
    public bool IsStream { get; init; }
}

/// <summary>Media types of the Kubernetes API.</summary>
public static class MediaTypes
{
    public const string Json = "application/json";

    public const string JsonPatch = "application/json-patch+json";

    public const string MergePatch = "application/merge-patch+json";

    public const string StrategicMergePatch = "application/strategic-merge-patch+json";
}
