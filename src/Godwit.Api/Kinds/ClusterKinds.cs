using System.Collections.Frozen;
using System.Text.Json.Nodes;
using Godwit.Api.Certificates.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds;

/// <summary>Nodes, their heartbeats and how they join.</summary>
internal static class ClusterKinds
{
    private const string RolePrefix = "node-role.kubernetes.io/";
    private const string NothingShown = "<none>";

    public static ResourceDefinition NodeDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "Node",
        Plural = "nodes",
        Singular = "node",
        ShortNames = ["no"],
        Namespaced = false,
        HasStatus = true,
        Schema = NodeSchemas.Node,
        Strategy = new NodeStrategy(),
        Columns =
        [
            Columns.Computed("Status", "Whether it is ready, and whether it takes guests.", NodeStatusText),
            Columns.Computed("Roles", "What it is for.", Roles),
            Columns.Age(),
            Columns.Text("Version", "The agent's version.", "status", "nodeInfo", "kubeletVersion"),
            Columns.Computed("Internal-IP", "Where the cluster reaches it.", resource => Address(resource, "InternalIP"), priority: 1),
            Columns.Computed("External-IP", "Where others reach it.", resource => Address(resource, "ExternalIP"), priority: 1),
            Columns.WideText("OS-Image", "The distribution.", "status", "nodeInfo", "osImage"),
            Columns.WideText("Kernel-Version", "The running kernel.", "status", "nodeInfo", "kernelVersion"),
            Columns.WideText("Container-Runtime", "What runs the guests.", "status", "nodeInfo", "containerRuntimeVersion"),
        ],
        SelectableFields = new Dictionary<string, Func<JsonObject, string>>(StringComparer.Ordinal)
        {
            ["spec.unschedulable"] = resource => IsUnschedulable(resource) ? "true" : "false",
        }.ToFrozenDictionary(StringComparer.Ordinal),
    };

    public static ResourceDefinition LeaseDefinition { get; } = new()
    {
        Group = "coordination.k8s.io",
        Version = "v1",
        Kind = "Lease",
        Plural = "leases",
        Singular = "lease",
        Namespaced = true,
        Schema = ClusterSchemas.Lease,
        Strategy = new LeaseStrategy(),
        Columns = [Columns.Text("Holder", "Who holds it.", "spec", "holderIdentity"), Columns.Age()],
    };

    public static ResourceDefinition CertificateSigningRequestDefinition { get; } = new()
    {
        Group = "certificates.k8s.io",
        Version = "v1",
        Kind = "CertificateSigningRequest",
        Plural = "certificatesigningrequests",
        Singular = "certificatesigningrequest",
        ShortNames = ["csr"],
        Namespaced = false,
        HasStatus = true,
        Schema = ClusterSchemas.CertificateSigningRequest,
        Strategy = new CertificateSigningRequestStrategy(),
        Columns =
        [
            Columns.Age(),
            Columns.Text("SignerName", "Who is to sign.", "spec", "signerName"),
            Columns.Text("Requestor", "Who asks.", "spec", "username"),
            Columns.Computed("RequestedDuration", "How long it should be good for.", RequestedDuration),
            Columns.Computed("Condition", "What became of it.", CertificateState),
        ],
        SelectableFields = Fields.Of(("spec.signerName", ["spec", "signerName"])),
    };

    private static bool IsUnschedulable(JsonObject node) => JsonAccess.AsBoolean(node.At("spec", "unschedulable")) == true;

    private static string NodeStatusText(JsonObject node)
    {
        var ready = Columns.ConditionStatus(node, "Ready") switch
        {
            null => "Unknown",
            "True" => "Ready",
            _ => "NotReady",
        };
        return IsUnschedulable(node) ? ready + ",SchedulingDisabled" : ready;
    }

    private static string Roles(JsonObject node)
    {
        var roles = (node.ObjectAt("metadata", "labels") ?? [])
            .Where(label => label.Key.StartsWith(RolePrefix, StringComparison.Ordinal))
            .Select(label => label.Key[RolePrefix.Length..])
            .Order(StringComparer.Ordinal);
        var text = string.Join(',', roles);
        return text.Length == 0 ? NothingShown : text;
    }

    private static string Address(JsonObject node, string type) =>
        (node.ArrayAt("status", "addresses") ?? []).FirstOrDefault(address => address.TextAt("type") == type).TextAt("address") ?? NothingShown;

    private static string RequestedDuration(JsonObject request) =>
        JsonAccess.AsInt64(request.At("spec", "expirationSeconds")) is { } seconds ? HumanDuration.Format(TimeSpan.FromSeconds(seconds)) : NothingShown;

    private static string CertificateState(JsonObject request)
    {
        var state = Columns.ConditionStatus(request, "Denied") is not null ? "Denied"
            : Columns.ConditionStatus(request, "Failed") is not null ? "Approved,Failed"
            : Columns.ConditionStatus(request, "Approved") is not null ? "Approved"
            : "Pending";
        return string.IsNullOrEmpty(request.TextAt("status", "certificate")) ? state : state + ",Issued";
    }
}

internal sealed class NodeStrategy : ResourceStrategy
{
    public override bool TracksGeneration => false;

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var seen = new HashSet<(string?, string?)>();
        var taints = resource.ArrayAt("spec", "taints") ?? [];
        for (var index = 0; index < taints.Count; index++)
        {
            var (taint, path) = (taints[index], $"spec.taints[{index}]");
            if (Names.CheckQualifiedName(taint.TextAt("key") ?? "") is { } wrongKey)
            {
                yield return FieldError.Invalid($"{path}.key", taint.At("key"), wrongKey);
            }

            if (Names.CheckLabelValue(taint.TextAt("value") ?? "") is { } wrongValue)
            {
                yield return FieldError.Invalid($"{path}.value", taint.At("value"), wrongValue);
            }

            if (!seen.Add((taint.TextAt("key"), taint.TextAt("effect"))))
            {
                yield return FieldError.Duplicate(path, taint.At("key"));
            }
        }
    }
}

internal sealed class LeaseStrategy : ResourceStrategy
{
    public override bool TracksGeneration => false;

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        if (JsonAccess.AsInt64(resource.At("spec", "leaseDurationSeconds")) is <= 0)
        {
            yield return FieldError.Invalid("spec.leaseDurationSeconds", resource.At("spec", "leaseDurationSeconds"), "must be greater than 0");
        }

        if (JsonAccess.AsInt64(resource.At("spec", "leaseTransitions")) is < 0)
        {
            yield return FieldError.Invalid("spec.leaseTransitions", resource.At("spec", "leaseTransitions"), "must be greater than or equal to 0");
        }
    }
}

internal sealed class CertificateSigningRequestStrategy : ResourceStrategy
{
    private const int ExpirationSecondsMin = 600;

    public override bool TracksGeneration => false;

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        if (string.IsNullOrEmpty(resource.TextAt("spec", "request")))
        {
            yield return FieldError.Required("spec.request", "a PKCS #10 request in PEM");
        }

        if (string.IsNullOrEmpty(resource.TextAt("spec", "signerName")))
        {
            yield return FieldError.Required("spec.signerName", $"for a node this is {SignerNames.Node}");
        }

        if (JsonAccess.AsInt64(resource.At("spec", "expirationSeconds")) is < ExpirationSecondsMin)
        {
            yield return FieldError.Invalid("spec.expirationSeconds", resource.At("spec", "expirationSeconds"), $"may not specify a duration less than {ExpirationSecondsMin} seconds");
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        if (!JsonNode.DeepEquals(updated["spec"], existing["spec"]))
        {
            yield return FieldError.Forbidden("spec", "a request cannot be changed: make another one");
        }
    }
}
