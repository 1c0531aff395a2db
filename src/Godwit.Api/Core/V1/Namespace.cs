using System.Collections.Immutable;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Core.V1;

/// <summary>A scope for names, and what is deleted together.</summary>
public sealed record Namespace() : Resource(Type), IResource<Namespace>
{
    public static ResourceType Type { get; } = new("", "v1", "Namespace", "namespaces", Namespaced: false);

    public NamespaceSpec Spec { get; init => field = value ?? new(); } = new();

    public NamespaceStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record NamespaceSpec
{
    /// <summary>Who must let go before the namespace may; <c>kubernetes</c> stands for the removal of its content.</summary>
    public IReadOnlyList<string> Finalizers { get; init => field = value ?? []; } = [];
}

public sealed record NamespaceStatus
{
    /// <summary><c>Active</c> or <c>Terminating</c>.</summary>
    public string? Phase { get; init; }

    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>Settings as text.</summary>
public sealed record ConfigMap() : Resource(Type), IResource<ConfigMap>
{
    public static ResourceType Type { get; } = new("", "v1", "ConfigMap", "configmaps", Namespaced: true);

    public IReadOnlyDictionary<string, string> Data { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;

    public IReadOnlyDictionary<string, byte[]> BinaryData { get; init => field = value ?? Secret.NoData; } = Secret.NoData;

    /// <summary>True: the data never changes again.</summary>
    public bool? Immutable { get; init; }
}

/// <summary>Settings that must not be seen: never logged, never in a process's arguments.</summary>
public sealed record Secret() : Resource(Type), IResource<Secret>
{
    public static ResourceType Type { get; } = new("", "v1", "Secret", "secrets", Namespaced: true);

    public IReadOnlyDictionary<string, byte[]> Data { get; init => field = value ?? NoData; } = NoData;

    /// <summary>Text that the server moves into <see cref="Data"/>; never read back.</summary>
    public IReadOnlyDictionary<string, string> StringData { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;

    /// <summary>What the data is for, for example <c>Opaque</c>.</summary>
    [System.Text.Json.Serialization.JsonPropertyName("type")]
    public string? Use { get; init; }

    public bool? Immutable { get; init; }

    internal static IReadOnlyDictionary<string, byte[]> NoData { get; } = ImmutableDictionary<string, byte[]>.Empty;

    protected override bool PrintMembers(System.Text.StringBuilder builder)
    {
        // A record prints its members: this one would print what must not be seen.
        builder.Append("Metadata = ").Append(Metadata.Namespace).Append('/').Append(Metadata.Name);
        return true;
    }
}
