using System.Globalization;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Node.Services;

namespace Godwit.Node.Pods;

/// <summary>
/// The variables by which a container is told of services, as Kubernetes has them: those of its namespace, unless the pod says <c>enableServiceLinks: false</c>, and in every
/// pod the service <c>kubernetes</c> of <c>default</c>, by which client libraries find the server. What a container says itself stands before them. Pure.
/// </summary>
internal static class ServiceVariables
{
    private const string Server = "kubernetes";

    public static Dictionary<string, string> For(Pod pod, IEnumerable<Service> services)
    {
        var told = new SortedDictionary<string, Service>(StringComparer.Ordinal);
        foreach (var service in services.Where(ServicePlan.HasAddress))
        {
            var (space, name) = (service.Metadata.Namespace, service.Metadata.Name);
            if (space == pod.Metadata.Namespace && pod.Spec.EnableServiceLinks != false)
            {
                told[name] = service;
            }
            else if (space == NamespaceNames.Default && name == Server)
            {
                told.TryAdd(name, service); // One of that name in the pod's own namespace stands before it.
            }
        }

        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var service in told.Values)
        {
            Add(variables, service);
        }

        return variables;
    }

    private static void Add(Dictionary<string, string> variables, Service service)
    {
        if (service.Spec.Ports is not [var first, ..])
        {
            return;
        }

        var (prefix, address) = (NameOf(service.Metadata.Name), service.Spec.ClusterIP!);
        variables[$"{prefix}_SERVICE_HOST"] = address;
        variables[$"{prefix}_SERVICE_PORT"] = Text(first.Port);
        variables[$"{prefix}_PORT"] = UrlOf(first, address);
        foreach (var port in service.Spec.Ports)
        {
            if (port.Name is { Length: > 0 } name)
            {
                variables[$"{prefix}_SERVICE_PORT_{NameOf(name)}"] = Text(port.Port);
            }

            var own = $"{prefix}_PORT_{Text(port.Port)}_{ProtocolOf(port).ToUpperInvariant()}";
            variables[own] = UrlOf(port, address);
            variables[$"{own}_PROTO"] = ProtocolOf(port);
            variables[$"{own}_PORT"] = Text(port.Port);
            variables[$"{own}_ADDR"] = address;
        }
    }

    private static string NameOf(string name) => name.Replace('-', '_').ToUpperInvariant();

    private static string ProtocolOf(ServicePort port) => string.IsNullOrEmpty(port.Protocol) ? "tcp" : port.Protocol.ToLowerInvariant();

    private static string UrlOf(ServicePort port, string address) => $"{ProtocolOf(port)}://{address}:{Text(port.Port)}";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
