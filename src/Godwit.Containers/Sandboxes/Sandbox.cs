using System.Text.Json.Serialization;

namespace Godwit.Containers;

/// <summary>A sandbox that stands: namespaces and files that its containers share, and that outlive each of them.</summary>
/// <param name="Spec">As it was asked for.</param>
/// <param name="Folder">Holds <c>hosts</c>, <c>hostname</c>, <c>resolv.conf</c>, the files that stand for namespaces, and <c>shm</c>.</param>
/// <param name="NetworkName">The network namespace's name under <c>/run/netns</c>; null: the host's network.</param>
/// <param name="MadeAt">When it was made.</param>
public sealed record Sandbox(SandboxSpec Spec, string Folder, string? NetworkName, DateTimeOffset MadeAt)
{
    [JsonIgnore]
    internal string? CommunicationFile => Spec.HostCommunication ? null : Path.Combine(Folder, "ipc");

    [JsonIgnore]
    internal string? HostNameFile => Spec.HostNetwork ? null : Path.Combine(Folder, "uts");

    [JsonIgnore]
    internal string? SharedMemoryFolder => Spec.HostCommunication ? null : Path.Combine(Folder, "shm");

    /// <summary>The file that stands for its network; null: the host's.</summary>
    [JsonIgnore]
    public string? NetworkFile => NetworkName is null ? null : Linux.Networking.NetworkNamespace.Named(NetworkName).FilePath;
}

[JsonSerializable(typeof(Sandbox))]
internal sealed partial class SandboxJson : JsonSerializerContext;
