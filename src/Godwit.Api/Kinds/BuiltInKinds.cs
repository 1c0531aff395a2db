using Godwit.Api.Authentication.V1;
using Godwit.Api.Authorization.V1;
using Godwit.Api.Kinds.Access;
using Godwit.Api.Kinds.Autoscaling;
using Godwit.Api.Kinds.Events;
using Godwit.Api.Kinds.Metrics;
using Godwit.Api.Kinds.Pods;
using Godwit.Api.Kinds.Policies;
using Godwit.Api.Kinds.Quotas;
using Godwit.Api.Kinds.Services;
using Godwit.Api.Kinds.Storage;
using Godwit.Api.Kinds.Workloads;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds;

/// <summary>The kinds that a Godwit server serves.</summary>
public static class BuiltInKinds
{
    /// <summary>Kinds that are stored.</summary>
    public static IReadOnlyList<ResourceDefinition> All { get; } =
    [
        CoreKinds.NamespaceDefinition,
        ClusterKinds.NodeDefinition,
        EventKinds.EventDefinition,
        EventKinds.EventV1Definition,
        CoreKinds.ConfigMapDefinition,
        CoreKinds.SecretDefinition,
        PodKinds.PodDefinition,
        PodKinds.ServiceAccountDefinition,
        QuotaKinds.ResourceQuotaDefinition,
        QuotaKinds.LimitRangeDefinition,
        StorageKinds.PersistentVolumeDefinition,
        StorageKinds.PersistentVolumeClaimDefinition,
        StorageKinds.StorageClassDefinition,
        ServiceKinds.ServiceDefinition,
        ServiceKinds.EndpointsDefinition,
        ServiceKinds.EndpointSliceDefinition,
        DeploymentKinds.ReplicationControllerDefinition,
        DeploymentKinds.DeploymentDefinition,
        DeploymentKinds.ReplicaSetDefinition,
        SetKinds.StatefulSetDefinition,
        SetKinds.DaemonSetDefinition,
        SetKinds.ControllerRevisionDefinition,
        BatchKinds.JobDefinition,
        BatchKinds.CronJobDefinition,
        PolicyKinds.PodDisruptionBudgetDefinition,
        PriorityKinds.PriorityClassDefinition,
        AutoscalingKinds.HorizontalPodAutoscalerDefinition,
        AutoscalingKinds.HorizontalPodAutoscalerV1Definition,
        RbacKinds.RoleDefinition,
        RbacKinds.ClusterRoleDefinition,
        RbacKinds.RoleBindingDefinition,
        RbacKinds.ClusterRoleBindingDefinition,
        ClusterKinds.LeaseDefinition,
        ClusterKinds.CertificateSigningRequestDefinition,
        KubeVirtKinds.VirtualMachineDefinition,
        KubeVirtKinds.VirtualMachineInstanceDefinition,
        KubeVirtKinds.MigrationDefinition,
        MigrationKinds.MigrationPolicyDefinition,
        MigrationKinds.ForecastDefinition,
        GroupKinds.GroupMigrationDefinition,
    ];

    /// <summary>Kinds that are made when they are asked for.</summary>
    public static IReadOnlyList<ResourceDefinition> Measured { get; } = [MetricsKinds.NodeMetricsDefinition, MetricsKinds.PodMetricsDefinition];

    /// <summary>Kinds that are questions: created, answered at once, never stored.</summary>
    public static IReadOnlyList<QuestionKind> Questions { get; } =
    [
        new(SelfSubjectReview.Type, "selfsubjectreview", ClusterSchemas.SelfSubjectReview),
        // kubectl 1.27 asks in this version and no other.
        new(SelfSubjectReview.Type with { Version = "v1beta1" }, "selfsubjectreview", ClusterSchemas.SelfSubjectReview),
        new(SelfSubjectAccessReview.Type, "selfsubjectaccessreview", ClusterSchemas.SelfSubjectAccessReview),
        new(SubjectAccessReview.Type, "subjectaccessreview", ClusterSchemas.SubjectAccessReview),
        new(LocalSubjectAccessReview.Type, "localsubjectaccessreview", ClusterSchemas.LocalSubjectAccessReview),
        new(TokenReview.Type, "tokenreview", ClusterSchemas.TokenReview),
        new(SelfSubjectRulesReview.Type, "selfsubjectrulesreview", ClusterSchemas.SelfSubjectRulesReview),
    ];

    /// <summary>The body of the scale subresource.</summary>
    public static QuestionKind Scale { get; } = new(Api.Autoscaling.V1.Scale.Type, "scale", ClusterSchemas.Scale);

    /// <summary>The body of a pod's binding.</summary>
    public static QuestionKind Binding { get; } = new(new ResourceType("", "v1", "Binding", "bindings", Namespaced: true), "binding", ClusterSchemas.Binding);

    /// <summary>The body of a pod's eviction.</summary>
    public static QuestionKind Eviction { get; } = new(new ResourceType("policy", "v1", "Eviction", "evictions", Namespaced: true), "eviction", ClusterSchemas.Eviction);

    /// <summary>The body of a service account's token.</summary>
    public static QuestionKind TokenRequest { get; } = new(Authentication.V1.TokenRequest.Type, "tokenrequest", TokenSchemas.TokenRequest);

    /// <summary>The body of a delete.</summary>
    public static ObjectSchema DeleteOptions => MetaSchemas.DeleteOptions;
}

/// <summary>A kind that is sent and answered but not stored.</summary>
public sealed record QuestionKind(ResourceType Type, string Singular, ObjectSchema Schema);
