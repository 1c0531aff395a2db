using System.Text.Json.Serialization;

namespace Godwit.Oci;

/// <summary>
/// An image's configuration: how to run it, of which layers its root is made, and how it came to be. The digest of its
/// bytes is the image's id. Source: OCI image specification, configuration; Docker's image specification 1.2 for the fields it adds.
/// </summary>
public sealed record ImageConfig
{
    [JsonPropertyName("created")]
    public DateTimeOffset? Created { get; init; }

    [JsonPropertyName("author")]
    public string? Author { get; init; }

    [JsonPropertyName("architecture")]
    public required string Architecture { get; init; }

    [JsonPropertyName("os")]
    public required string OperatingSystem { get; init; }

    [JsonPropertyName("os.version")]
    public string? OperatingSystemVersion { get; init; }

    [JsonPropertyName("variant")]
    public string? Variant { get; init; }

    [JsonPropertyName("config")]
    public ImageDefaults? Config { get; init; }

    [JsonPropertyName("rootfs")]
    public required RootFileSystem RootFileSystem { get; init; }

    [JsonPropertyName("history")]
    public IReadOnlyList<HistoryEntry>? History { get; init; }

    [JsonIgnore]
    public Platform Platform => new() { Architecture = Architecture, OperatingSystem = OperatingSystem, Variant = Variant, OperatingSystemVersion = OperatingSystemVersion };
}

/// <summary>What a container gets that asks for nothing else. The names are those of Docker's container configuration.</summary>
public sealed record ImageDefaults
{
    /// <summary><c>user[:group]</c>, as names or numbers.</summary>
    public string? User { get; init; }

    /// <summary><c>port/protocol</c> to nothing.</summary>
    public IReadOnlyDictionary<string, EmptyObject>? ExposedPorts { get; init; }

    /// <summary><c>NAME=value</c>.</summary>
    public IReadOnlyList<string>? Env { get; init; }

    public IReadOnlyList<string>? Entrypoint { get; init; }

    public IReadOnlyList<string>? Cmd { get; init; }

    public IReadOnlyDictionary<string, EmptyObject>? Volumes { get; init; }

    public string? WorkingDir { get; init; }

    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>A signal's name or number.</summary>
    public string? StopSignal { get; init; }

    /// <summary>Seconds between the stop signal and the end.</summary>
    public int? StopTimeout { get; init; }

    public HealthCheck? Healthcheck { get; init; }

    /// <summary>Dockerfile instructions to be carried out when this image is built upon.</summary>
    public IReadOnlyList<string>? OnBuild { get; init; }

    /// <summary>The shell for the shell form of RUN, CMD and ENTRYPOINT.</summary>
    public IReadOnlyList<string>? Shell { get; init; }

    public bool? ArgsEscaped { get; init; }
}

/// <summary>How to find out whether a container is well. Times in nanoseconds; zero or null is inherited.</summary>
public sealed record HealthCheck
{
    /// <summary><c>["NONE"]</c>, <c>["CMD", …]</c> or <c>["CMD-SHELL", "…"]</c>; empty is inherited.</summary>
    public IReadOnlyList<string>? Test { get; init; }

    [JsonPropertyName("Interval")]
    public long? IntervalNanoseconds { get; init; }

    [JsonPropertyName("Timeout")]
    public long? TimeoutNanoseconds { get; init; }

    [JsonPropertyName("StartPeriod")]
    public long? StartPeriodNanoseconds { get; init; }

    [JsonPropertyName("StartInterval")]
    public long? StartIntervalNanoseconds { get; init; }

    public int? Retries { get; init; }
}

/// <summary>The JSON object without members, as a value in Go's sets.</summary>
public sealed record EmptyObject
{
    public static EmptyObject Value { get; } = new();
}

/// <summary>The layers, from the bottom up, by the digests of their uncompressed tars.</summary>
public sealed record RootFileSystem
{
    [JsonPropertyName("type")]
    public string Type { get; init; } = "layers";

    [JsonPropertyName("diff_ids")]
    public required IReadOnlyList<Digest> DiffIds { get; init; }
}

/// <summary>One step of how an image came to be.</summary>
public sealed record HistoryEntry
{
    [JsonPropertyName("created")]
    public DateTimeOffset? Created { get; init; }

    [JsonPropertyName("created_by")]
    public string? CreatedBy { get; init; }

    [JsonPropertyName("author")]
    public string? Author { get; init; }

    [JsonPropertyName("comment")]
    public string? Comment { get; init; }

    /// <summary>True where the step made no layer.</summary>
    [JsonPropertyName("empty_layer")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool EmptyLayer { get; init; }
}
