namespace Godwit.Api.Core.V1;

/// <summary>An identity for programs in pods.</summary>
public sealed record ServiceAccount() : Resource(Type), IResource<ServiceAccount>
{
    public static ResourceType Type { get; } = new("", "v1", "ServiceAccount", "serviceaccounts", Namespaced: true);

    public IReadOnlyList<ObjectReference> Secrets { get; init => field = value ?? []; } = [];

    public IReadOnlyList<LocalObjectReference> ImagePullSecrets { get; init => field = value ?? []; } = [];

    public bool? AutomountServiceAccountToken { get; init; }
}
