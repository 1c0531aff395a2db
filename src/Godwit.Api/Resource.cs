using System.Text.Json.Serialization;
using Godwit.Api.Meta.V1;

namespace Godwit.Api;

/// <summary>What every stored object has. Kinds are immutable: change one with <c>with</c> and send the result.</summary>
/// <remarks>
/// Lists and maps are never null, absent scalars and absent optional objects are. JSON null and absence mean the same.
/// Record equality compares lists by reference; to ask whether two objects say the same, compare their JSON.
/// </remarks>
public abstract record Resource
{
    private protected Resource(ResourceType type)
    {
        ApiVersion = type.ApiVersion;
        Kind = type.Kind;
    }

    /// <summary>Group and version; fixed by the type, ignored when read.</summary>
    [JsonPropertyOrder(-3)]
    public string ApiVersion { get; }

    /// <summary>Fixed by the type, ignored when read.</summary>
    [JsonPropertyOrder(-2)]
    public string Kind { get; }

    [JsonPropertyOrder(-1)]
    public ObjectMeta Metadata { get; init => field = value ?? new(); } = new();
}

/// <summary>Ties a kind's record to its place in the API, so that generic code needs the type argument alone.</summary>
public interface IResource<TSelf>
    where TSelf : Resource, IResource<TSelf>
{
    static abstract ResourceType Type { get; }
}

/// <summary>A kind's names and place in the API.</summary>
/// <param name="Group">Empty for core.</param>
/// <param name="Version">For example <c>v1</c>.</param>
/// <param name="Kind">For example <c>VirtualMachine</c>.</param>
/// <param name="Plural">The lower-case plural in URLs.</param>
/// <param name="Namespaced">False for kinds that belong to the whole cluster.</param>
public sealed record ResourceType(string Group, string Version, string Kind, string Plural, bool Namespaced)
{
    /// <summary><c>group/version</c>, or the version alone for core.</summary>
    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>
    /// The URL path of a collection, an object or a subresource. A null <paramref name="namespaceName"/> means all
    /// namespaces (or a cluster-wide kind). Segments are escaped.
    /// </summary>
    public string Path(string? namespaceName = null, string? name = null, string? subresource = null)
    {
        var root = Group.Length == 0 ? $"/api/{Version}" : $"/apis/{Group}/{Version}";
        var scope = Namespaced && namespaceName is not null ? $"/namespaces/{Uri.EscapeDataString(namespaceName)}" : "";
        var item = name is null ? "" : $"/{Uri.EscapeDataString(name)}";
        var sub = subresource is null ? "" : $"/{subresource}";
        return $"{root}{scope}/{Plural}{item}{sub}";
    }
}
