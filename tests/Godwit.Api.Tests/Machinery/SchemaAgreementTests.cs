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
using Godwit.Api.Kinds;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Meta.V1;
using Godwit.Api.Metrics.V1Beta1;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Api.Policy.V1;
using Godwit.Api.Rbac.V1;
using Godwit.Api.Scheduling.V1;
using Godwit.Api.Storage.V1;
using Godwit.Base;

namespace Godwit.Api.Tests.Machinery;

/// <summary>The tables of shapes and the typed records say the same.</summary>
public sealed class SchemaAgreementTests
{
    private static readonly Dictionary<Type, ResourceType> Types = new()
    {
        [typeof(Namespace)] = Namespace.Type,
        [typeof(Node)] = Node.Type,
        [typeof(Event)] = Event.Type,
        [typeof(EventV1)] = EventV1.Type,
        [typeof(ConfigMap)] = ConfigMap.Type,
        [typeof(Secret)] = Secret.Type,
        [typeof(Pod)] = Pod.Type,
        [typeof(ServiceAccount)] = ServiceAccount.Type,
        [typeof(ResourceQuota)] = ResourceQuota.Type,
        [typeof(LimitRange)] = LimitRange.Type,
        [typeof(PersistentVolume)] = PersistentVolume.Type,
        [typeof(PersistentVolumeClaim)] = PersistentVolumeClaim.Type,
        [typeof(StorageClass)] = StorageClass.Type,
        [typeof(Service)] = Service.Type,
        [typeof(Endpoints)] = Endpoints.Type,
        [typeof(EndpointSlice)] = EndpointSlice.Type,
        [typeof(Deployment)] = Deployment.Type,
        [typeof(ReplicaSet)] = ReplicaSet.Type,
        [typeof(StatefulSet)] = StatefulSet.Type,
        [typeof(DaemonSet)] = DaemonSet.Type,
        [typeof(ControllerRevision)] = ControllerRevision.Type,
        [typeof(ReplicationController)] = ReplicationController.Type,
        [typeof(Job)] = Job.Type,
        [typeof(CronJob)] = CronJob.Type,
        [typeof(HorizontalPodAutoscaler)] = HorizontalPodAutoscaler.Type,
        [typeof(HorizontalPodAutoscalerV1)] = HorizontalPodAutoscalerV1.Type,
        [typeof(PodDisruptionBudget)] = PodDisruptionBudget.Type,
        [typeof(PriorityClass)] = PriorityClass.Type,
        [typeof(Role)] = Role.Type,
        [typeof(ClusterRole)] = ClusterRole.Type,
        [typeof(RoleBinding)] = RoleBinding.Type,
        [typeof(ClusterRoleBinding)] = ClusterRoleBinding.Type,
        [typeof(Lease)] = Lease.Type,
        [typeof(CertificateSigningRequest)] = CertificateSigningRequest.Type,
        [typeof(VirtualMachine)] = VirtualMachine.Type,
        [typeof(VirtualMachineInstance)] = VirtualMachineInstance.Type,
        [typeof(VirtualMachineInstanceMigration)] = VirtualMachineInstanceMigration.Type,
        [typeof(MigrationPolicy)] = MigrationPolicy.Type,
        [typeof(Forecast)] = Forecast.Type,
        [typeof(GroupMigration)] = GroupMigration.Type,
        [typeof(NodeMetrics)] = NodeMetrics.Type,
        [typeof(PodMetrics)] = PodMetrics.Type,
        [typeof(SelfSubjectReview)] = SelfSubjectReview.Type,
        [typeof(SelfSubjectAccessReview)] = SelfSubjectAccessReview.Type,
        [typeof(SelfSubjectRulesReview)] = SelfSubjectRulesReview.Type,
        [typeof(SubjectAccessReview)] = SubjectAccessReview.Type,
        [typeof(LocalSubjectAccessReview)] = LocalSubjectAccessReview.Type,
        [typeof(TokenReview)] = TokenReview.Type,
        [typeof(TokenRequest)] = TokenRequest.Type,
        [typeof(Scale)] = Scale.Type,
    };

    // Fields that are accepted on the wire and that no code of ours reads or writes.
    private static readonly string[] SchemaOnly = ["metadata.selfLink", "metadata.managedFields", "ignoreStoreReadErrorWithClusterBreakingPotential"];

    public static TheoryData<Type> AllTypes => new(Types.Keys);

    [Theory]
    [MemberData(nameof(AllTypes))]
    public void Each_field_of_the_record_is_in_the_schema_and_the_other_way_round(Type type)
    {
        var differences = new List<string>();
        Compare(GodwitJson.Options.GetTypeInfo(type), SchemaOf(type), type.Name, differences);
        Assert.Empty(differences);
    }

    [Fact]
    public void Delete_options_agree_too()
    {
        var differences = new List<string>();
        Compare(GodwitJson.Options.GetTypeInfo(typeof(DeleteOptions)), BuiltInKinds.DeleteOptions, "", differences);
        Assert.Empty(differences);
    }

    [Fact]
    public void Each_served_kind_has_a_typed_record_of_the_same_names()
    {
        var served = BuiltInKinds.All.Concat(BuiltInKinds.Measured).Select(kind => new ResourceType(kind.Group, kind.Version, kind.Kind, kind.Plural, kind.Namespaced))
            .Concat(BuiltInKinds.Questions.Where(kind => !kind.Type.Version.Contains("beta", StringComparison.Ordinal)).Select(kind => kind.Type)).Append(BuiltInKinds.Scale.Type).Append(BuiltInKinds.TokenRequest.Type);

        Assert.Equal(Types.Values.ToHashSet(), served.ToHashSet());
    }

    [Fact]
    public void Each_field_is_described_and_each_definition_has_one_name()
    {
        var byName = new Dictionary<string, ObjectSchema>(StringComparer.Ordinal);
        foreach (var schema in BuiltInKinds.All.Concat(BuiltInKinds.Measured).Select(kind => kind.Schema).SelectMany(Objects))
        {
            Assert.All(schema.Fields, field => Assert.NotEmpty(field.Description));
            Assert.NotEmpty(schema.Description);
            Assert.True(byName.TryAdd(schema.Name, schema) || ReferenceEquals(byName[schema.Name], schema), $"{schema.Name} is defined twice");
        }
    }

    private static IEnumerable<ObjectSchema> Objects(Schema schema) => schema switch
    {
        ObjectSchema known => known.Fields.SelectMany(field => Objects(field.Schema)).Prepend(known),
        ArraySchema list => Objects(list.Items),
        MapSchema map => Objects(map.Values),
        _ => [],
    };

    private static ObjectSchema SchemaOf(Type type)
    {
        var wanted = Types[type];
        return BuiltInKinds.All.Concat(BuiltInKinds.Measured).FirstOrDefault(kind => kind.Kind == wanted.Kind && kind.Group == wanted.Group && kind.Version == wanted.Version)?.Schema
            ?? BuiltInKinds.Questions.Append(BuiltInKinds.Scale).Append(BuiltInKinds.TokenRequest).Single(kind => kind.Type == wanted).Schema;
    }

    private static void Compare(JsonTypeInfo type, ObjectSchema schema, string path, List<string> differences)
    {
        foreach (var property in type.Properties)
        {
            var where = $"{path}.{property.Name}";
            if (schema.Find(property.Name) is { } field)
            {
                CompareValue(property.PropertyType, IsMicro(property), field.Schema, where, differences);
            }
            else
            {
                differences.Add($"{where}: not in the schema");
            }
        }

        var names = type.Properties.Select(property => property.Name).ToHashSet(StringComparer.Ordinal);
        differences.AddRange(schema.Fields.Where(field => !names.Contains(field.Name))
            .Select(field => $"{path}.{field.Name}")
            .Where(where => !SchemaOnly.Any(only => where.EndsWith(only, StringComparison.Ordinal)))
            .Select(where => $"{where}: not in the record"));
    }

    private static bool IsMicro(JsonPropertyInfo property) =>
        property.AttributeProvider?.GetCustomAttributes(typeof(JsonConverterAttribute), inherit: false)
            .OfType<JsonConverterAttribute>().Any(attribute => attribute.ConverterType == typeof(MicroTimeJsonConverter)) == true;

    private static void CompareValue(Type type, bool micro, Schema schema, string path, List<string> differences)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        var agree = schema switch
        {
            TextSchema => type == typeof(string),
            IntegerSchema { Bits: 32 } => type == typeof(int),
            IntegerSchema => type == typeof(long),
            NumberSchema => type == typeof(double),
            BooleanSchema => type == typeof(bool),
            BytesSchema => type == typeof(byte[]),
            QuantitySchema => type == typeof(Quantity),
            TimeSchema time => type == typeof(DateTimeOffset) && time.Micro == micro,
            _ => true,
        };
        if (!agree)
        {
            differences.Add($"{path}: {type.Name} is {schema.GetType().Name} in the schema");
        }
        else if (schema is ObjectSchema known)
        {
            Compare(GodwitJson.Options.GetTypeInfo(type), known, path, differences);
        }
        else if (schema is ArraySchema list && type != typeof(JsonArray))
        {
            CompareValue(Argument(type, typeof(IReadOnlyList<>), path, differences), micro: false, list.Items, path + "[]", differences);
        }
        else if (schema is MapSchema map)
        {
            CompareValue(Argument(type, typeof(IReadOnlyDictionary<,>), path, differences), micro: false, map.Values, path + "{}", differences);
        }
    }

    private static Type Argument(Type type, Type expected, string path, List<string> differences)
    {
        if (type.IsGenericType && type.GetGenericTypeDefinition() == expected)
        {
            return type.GetGenericArguments()[^1];
        }

        differences.Add($"{path}: {type.Name} is no {expected.Name}");
        return typeof(object);
    }
}
