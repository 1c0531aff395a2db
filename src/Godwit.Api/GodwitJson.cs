using System.Collections;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Godwit.Api.Apps.V1;
using Godwit.Api.Authentication.V1;
using Godwit.Api.Authorization.V1;
using Godwit.Api.Autoscaling.V1;
using Godwit.Api.Autoscaling.V2;
using Godwit.Api.Batch.V1;
using Godwit.Api.Certificates.V1;
using Godwit.Api.Coordination.V1;
using Godwit.Api.Core.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Api.Events.V1;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Api.Metrics;
using Godwit.Api.Metrics.V1Beta1;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Api.Policy.V1;
using Godwit.Api.Rbac.V1;
using Godwit.Api.Scheduling.V1;
using Godwit.Api.Storage.V1;

namespace Godwit.Api;

/// <summary>
/// Typed kinds to and from JSON as Kubernetes writes it: camelCase, times to the second, and nothing that is empty
/// (null, an empty text, list or map) except a list's <c>items</c>.
/// </summary>
public static class GodwitJson
{
    public static JsonSerializerOptions Options { get; } = MakeOptions();

    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is no type of this API.</exception>
    public static JsonTypeInfo<T> TypeInfo<T>() => (JsonTypeInfo<T>)Options.GetTypeInfo(typeof(T));

    public static byte[] SerializeToUtf8<T>(T value) => JsonSerializer.SerializeToUtf8Bytes(value, TypeInfo<T>());

    public static string Serialize<T>(T value) => JsonSerializer.Serialize(value, TypeInfo<T>());

    public static JsonObject ToObject<T>(T value) => JsonSerializer.SerializeToNode(value, TypeInfo<T>())!.AsObject();

    /// <exception cref="JsonException">The bytes are no JSON, or of another shape.</exception>
    public static T Deserialize<T>(ReadOnlySpan<byte> utf8) =>
        JsonSerializer.Deserialize(utf8, TypeInfo<T>()) ?? throw new JsonException($"Expected a {typeof(T).Name}, found null.");

    /// <exception cref="JsonException">The text is no JSON, or of another shape.</exception>
    public static T Deserialize<T>(string json) =>
        JsonSerializer.Deserialize(json, TypeInfo<T>()) ?? throw new JsonException($"Expected a {typeof(T).Name}, found null.");

    /// <exception cref="JsonException">The value is of another shape.</exception>
    public static T FromNode<T>(JsonNode node) =>
        node.Deserialize(TypeInfo<T>()) ?? throw new JsonException($"Expected a {typeof(T).Name}, found null.");

    /// <exception cref="JsonException">The value is of another shape.</exception>
    public static T FromElement<T>(JsonElement element) =>
        element.Deserialize(TypeInfo<T>()) ?? throw new JsonException($"Expected a {typeof(T).Name}, found null.");

    private static JsonSerializerOptions MakeOptions()
    {
        var options = new JsonSerializerOptions(GodwitJsonContext.Default.Options)
        {
            TypeInfoResolver = GodwitJsonContext.Default.WithAddedModifier(LeaveOutEmpty),
        };
        options.MakeReadOnly();
        return options;
    }

    private static void LeaveOutEmpty(JsonTypeInfo type)
    {
        foreach (var property in type.Properties)
        {
            if (property.Name == "items" && typeof(IResourceList).IsAssignableFrom(type.Type))
            {
                continue;
            }

            // Of no class is another thing than to have said nothing, which means the default one.
            if (property.Name == "storageClassName")
            {
                continue;
            }

            // JSON nodes and elements are opaque: what they hold is written as it is.
            if (property.PropertyType == typeof(string))
            {
                property.ShouldSerialize = static (_, value) => value is string { Length: > 0 };
            }
            else if (typeof(IEnumerable).IsAssignableFrom(property.PropertyType) && !typeof(JsonNode).IsAssignableFrom(property.PropertyType))
            {
                property.ShouldSerialize = static (_, value) => value is ICollection { Count: > 0 };
            }
        }
    }
}

[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    MaxDepth = 64,
    Converters = [typeof(TimeJsonConverter)])]
[JsonSerializable(typeof(Status))]
[JsonSerializable(typeof(WatchEvent))]
[JsonSerializable(typeof(DeleteOptions))]
[JsonSerializable(typeof(ObjectMeta))]
[JsonSerializable(typeof(ResourceList<Namespace>))]
[JsonSerializable(typeof(ResourceList<Core.V1.Node>))]
[JsonSerializable(typeof(ResourceList<Event>))]
[JsonSerializable(typeof(ResourceList<EventV1>))]
[JsonSerializable(typeof(ResourceList<ConfigMap>))]
[JsonSerializable(typeof(ResourceList<Secret>))]
[JsonSerializable(typeof(ResourceList<Pod>))]
[JsonSerializable(typeof(ResourceList<ServiceAccount>))]
[JsonSerializable(typeof(ResourceList<ResourceQuota>))]
[JsonSerializable(typeof(ResourceList<LimitRange>))]
[JsonSerializable(typeof(ResourceList<PersistentVolume>))]
[JsonSerializable(typeof(ResourceList<PersistentVolumeClaim>))]
[JsonSerializable(typeof(ResourceList<StorageClass>))]
[JsonSerializable(typeof(ResourceList<Service>))]
[JsonSerializable(typeof(ResourceList<Endpoints>))]
[JsonSerializable(typeof(ResourceList<EndpointSlice>))]
[JsonSerializable(typeof(ResourceList<Deployment>))]
[JsonSerializable(typeof(ResourceList<ReplicaSet>))]
[JsonSerializable(typeof(ResourceList<StatefulSet>))]
[JsonSerializable(typeof(ResourceList<DaemonSet>))]
[JsonSerializable(typeof(ResourceList<ControllerRevision>))]
[JsonSerializable(typeof(ResourceList<ReplicationController>))]
[JsonSerializable(typeof(ResourceList<Job>))]
[JsonSerializable(typeof(ResourceList<CronJob>))]
[JsonSerializable(typeof(ResourceList<PodDisruptionBudget>))]
[JsonSerializable(typeof(ResourceList<PriorityClass>))]
[JsonSerializable(typeof(ResourceList<HorizontalPodAutoscaler>))]
[JsonSerializable(typeof(ResourceList<HorizontalPodAutoscalerV1>))]
[JsonSerializable(typeof(ResourceList<Role>))]
[JsonSerializable(typeof(ResourceList<ClusterRole>))]
[JsonSerializable(typeof(ResourceList<RoleBinding>))]
[JsonSerializable(typeof(ResourceList<ClusterRoleBinding>))]
[JsonSerializable(typeof(ResourceList<Lease>))]
[JsonSerializable(typeof(ResourceList<CertificateSigningRequest>))]
[JsonSerializable(typeof(SelfSubjectReview))]
[JsonSerializable(typeof(SelfSubjectAccessReview))]
[JsonSerializable(typeof(SelfSubjectRulesReview))]
[JsonSerializable(typeof(SubjectAccessReview))]
[JsonSerializable(typeof(LocalSubjectAccessReview))]
[JsonSerializable(typeof(TokenReview))]
[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(Scale))]
[JsonSerializable(typeof(ResourceList<VirtualMachine>))]
[JsonSerializable(typeof(ResourceList<VirtualMachineInstance>))]
[JsonSerializable(typeof(ResourceList<VirtualMachineInstanceMigration>))]
[JsonSerializable(typeof(ResourceList<MigrationPolicy>))]
[JsonSerializable(typeof(ResourceList<Forecast>))]
[JsonSerializable(typeof(ResourceList<GroupMigration>))]
[JsonSerializable(typeof(ResourceList<NodeMetrics>))]
[JsonSerializable(typeof(ResourceList<PodMetrics>))]
[JsonSerializable(typeof(UsageReport))]
internal sealed partial class GodwitJsonContext : JsonSerializerContext;
