using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Api.Kinds.Pods;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds.Services;

internal sealed class ServiceStrategy : ResourceStrategy
{
    /// <summary>How long a client stays with a pod, in seconds, and at most.</summary>
    private const int AffinitySeconds = 10_800;
    private const int AffinitySecondsMax = 86_400;

    /// <summary>The address of a service that has none of its own.</summary>
    private const string Headless = "None";

    public override NameRule NameRule => NameRule.DnsLabel;

    public override bool TracksGeneration => false;

    public override void ApplyDefaults(JsonObject resource)
    {
        var spec = resource.GetOrAddObject("spec");
        spec.TryAdd("type", "ClusterIP");
        spec.TryAdd("sessionAffinity", "None");
        var type = spec.TextAt("type");
        if (spec.TextAt("sessionAffinity") == "ClientIP")
        {
            spec.GetOrAddObject("sessionAffinityConfig").GetOrAddObject("clientIP").TryAdd("timeoutSeconds", AffinitySeconds);
        }

        if (type != "ExternalName")
        {
            spec.TryAdd("internalTrafficPolicy", "Cluster");
            spec.TryAdd("ipFamilyPolicy", "SingleStack");
            spec.TryAdd("ipFamilies", new JsonArray("IPv4"));
            if (spec.TextAt("clusterIP") is { Length: > 0 } address)
            {
                spec.TryAdd("clusterIPs", new JsonArray(address));
            }
        }

        if (type is "NodePort" or "LoadBalancer")
        {
            spec.TryAdd("externalTrafficPolicy", "Cluster");
        }

        if (type == "LoadBalancer")
        {
            spec.TryAdd("allocateLoadBalancerNodePorts", true);
        }

        foreach (var port in (spec.ArrayAt("ports") ?? []).OfType<JsonObject>())
        {
            port.TryAdd("protocol", "TCP");
            port.TryAdd("targetPort", port["port"]?.DeepClone());
        }

        resource.GetOrAddObject("status").TryAdd("loadBalancer", new JsonObject());
    }

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var spec = GodwitJson.FromNode<Service>(resource).Spec;
        var errors = ValidateAddresses(spec)
            .Concat(ValidatePorts(spec))
            .Concat(PodRules.ValidateNodeSelector(spec.Selector, "spec.selector"));
        foreach (var error in errors)
        {
            yield return error;
        }

        if (spec.SessionAffinityConfig?.ClientIP?.TimeoutSeconds is { } seconds and (< 1 or > AffinitySecondsMax))
        {
            yield return FieldError.Invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, $"must be greater than 0 and less than {AffinitySecondsMax}");
        }

        if (spec.ExternalTrafficPolicy is { Length: > 0 } && spec.Type is not ("NodePort" or "LoadBalancer") && spec.ExternalIPs.Count == 0)
        {
            yield return FieldError.Invalid("spec.externalTrafficPolicy", spec.ExternalTrafficPolicy, "may only be set for externally-accessible services");
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        var (address, before) = (updated.TextAt("spec", "clusterIP") ?? "", existing.TextAt("spec", "clusterIP") ?? "");
        if (before.Length > 0 && address != before && updated.TextAt("spec", "type") != "ExternalName" && existing.TextAt("spec", "type") != "ExternalName")
        {
            yield return FieldError.Invalid("spec.clusterIP", address, "field is immutable");
        }
    }

    private static IEnumerable<FieldError> ValidateAddresses(ServiceSpec spec)
    {
        if (spec.Type == "ExternalName")
        {
            if (spec.ExternalName is not { Length: > 0 } name)
            {
                yield return FieldError.Required("spec.externalName", "the name that the service stands for");
            }
            else if (Names.CheckDnsSubdomain(name) is { } wrong)
            {
                yield return FieldError.Invalid("spec.externalName", name, wrong);
            }

            yield break;
        }

        if (spec.ClusterIP is { Length: > 0 } address and not Headless && !IsIPv4(address))
        {
            yield return FieldError.Invalid("spec.clusterIP", address, "must be an IPv4 address, None, or empty");
        }

        if (spec is { ClusterIP: Headless, Type: "NodePort" or "LoadBalancer" })
        {
            yield return FieldError.Invalid("spec.clusterIP", Headless, $"may not be set to 'None' for {spec.Type} services");
        }

        if (spec.ClusterIPs.Count > 0 && (spec.ClusterIPs.Count > 1 || spec.ClusterIPs[0] != spec.ClusterIP))
        {
            yield return FieldError.Invalid("spec.clusterIPs", spec.ClusterIPs[0], "must hold clusterIP and nothing else: services have one IPv4 address");
        }

        if (spec.IpFamilies.Any(family => family != "IPv4") || spec.IpFamilyPolicy == "RequireDualStack")
        {
            yield return FieldError.Invalid("spec.ipFamilies", string.Join(',', spec.IpFamilies), "must be IPv4: the cluster's network has no other family");
        }

        for (var index = 0; index < spec.ExternalIPs.Count; index++)
        {
            if (!IsIPv4(spec.ExternalIPs[index]))
            {
                yield return FieldError.Invalid($"spec.externalIPs[{index}]", spec.ExternalIPs[index], "must be an IPv4 address");
            }
        }
    }

    private static IEnumerable<FieldError> ValidatePorts(ServiceSpec spec)
    {
        if (spec.Ports.Count == 0 && spec is { Type: not "ExternalName", ClusterIP: not Headless })
        {
            yield return FieldError.Required("spec.ports", "at least one port");
        }

        var (names, numbers, nodePorts) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<(int, string?)>(), new HashSet<(int, string?)>());
        for (var index = 0; index < spec.Ports.Count; index++)
        {
            var (port, where) = (spec.Ports[index], $"spec.ports[{index}]");
            if (port.Name is not { Length: > 0 } name)
            {
                if (spec.Ports.Count > 1)
                {
                    yield return FieldError.Required($"{where}.name", "ports have names when there are several");
                }
            }
            else if (Names.CheckDnsLabel(name) is { } wrongName)
            {
                yield return FieldError.Invalid($"{where}.name", name, wrongName);
            }
            else if (!names.Add(name))
            {
                yield return FieldError.Duplicate($"{where}.name", name);
            }

            if (!numbers.Add((port.Port, port.Protocol)))
            {
                yield return FieldError.Duplicate($"{where}.port", port.Port);
            }

            if (ContainerRules.CheckPort(port.Port) is { } wrong)
            {
                yield return FieldError.Invalid($"{where}.port", port.Port, wrong);
            }

            if (port.TargetPort is { } target && (target.IsNumber ? ContainerRules.CheckPort(target.Number) : ContainerRules.CheckPortName(target.Text!)) is { } wrongTarget)
            {
                yield return FieldError.Invalid($"{where}.targetPort", target.ToString(), wrongTarget);
            }

            if (port.NodePort is { } chosen and not 0 && !nodePorts.Add((chosen, port.Protocol)))
            {
                yield return FieldError.Duplicate($"{where}.nodePort", chosen);
            }

            if (port.NodePort is { } node and not 0 && (spec.Type is not ("NodePort" or "LoadBalancer") || ContainerRules.CheckPort(node) is not null))
            {
                yield return FieldError.Invalid($"{where}.nodePort", node, "must be between 1 and 65535, and only on services of type NodePort and LoadBalancer");
            }
        }
    }

    private static bool IsIPv4(string text) => IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetwork && address.ToString() == text;
}

internal sealed class EndpointsStrategy : ResourceStrategy
{
    public override bool TracksGeneration => false;

    public override void ApplyDefaults(JsonObject resource)
    {
        foreach (var port in (resource.ArrayAt("subsets") ?? []).SelectMany(subset => subset.ArrayAt("ports") ?? []).OfType<JsonObject>())
        {
            port.TryAdd("protocol", "TCP");
        }
    }

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var subsets = GodwitJson.FromNode<Endpoints>(resource).Subsets;
        for (var index = 0; index < subsets.Count; index++)
        {
            foreach (var (field, addresses) in new[] { ("addresses", subsets[index].Addresses), ("notReadyAddresses", subsets[index].NotReadyAddresses) })
            {
                for (var place = 0; place < addresses.Count; place++)
                {
                    if (!IPAddress.TryParse(addresses[place].Ip, out _))
                    {
                        yield return FieldError.Invalid($"subsets[{index}].{field}[{place}].ip", addresses[place].Ip, "must be a valid IP address");
                    }
                }
            }
        }
    }
}

internal sealed class EndpointSliceStrategy : ResourceStrategy
{
    /// <summary>Places in one slice, and addresses of one place.</summary>
    private const int EndpointsMax = 1000;

    public override void ApplyDefaults(JsonObject resource)
    {
        foreach (var port in (resource.ArrayAt("ports") ?? []).OfType<JsonObject>())
        {
            port.TryAdd("name", "");
            port.TryAdd("protocol", "TCP");
        }
    }

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var slice = GodwitJson.FromNode<EndpointSlice>(resource);
        if (slice.Endpoints.Count > EndpointsMax)
        {
            yield return new FieldError(FieldErrorKind.TooMany, "endpoints", $"must have at most {EndpointsMax} items");
        }

        for (var index = 0; index < slice.Endpoints.Count; index++)
        {
            if (slice.Endpoints[index].Addresses.Count == 0)
            {
                yield return FieldError.Required($"endpoints[{index}].addresses", "must contain at least 1 address");
            }

            foreach (var address in slice.AddressType == "FQDN" ? [] : slice.Endpoints[index].Addresses)
            {
                if (!IPAddress.TryParse(address, out _))
                {
                    yield return FieldError.Invalid($"endpoints[{index}].addresses", address, "must be a valid IP address");
                }
            }
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing) =>
        updated.TextAt("addressType") == existing.TextAt("addressType") ? [] : [FieldError.Invalid("addressType", updated["addressType"], "field is immutable")];
}
