using System.Buffers;
using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.Api.Meta.V1;
using Godwit.Api.Metrics;
using Godwit.Api.Metrics.V1Beta1;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.Base;

namespace Godwit.ApiServer.Measuring;

/// <summary>
/// Answers what nodes and pods use (<c>metrics.k8s.io</c>, as <c>kubectl top</c> and the autoscaler ask): from the stored Nodes, Pods and virtual machines, of which each is told that its own
/// node's agent has measured. So an agent can say nothing of what does not run on its node, and selectors are those of the stored objects. What is not measured yet is left out.
/// </summary>
internal sealed class MetricsHandler(ListHandler lists, ObjectViews views, ServedResources resources, UsageSource source)
{
    private readonly ServedResource nodeMetrics = new(BuiltInKinds.Measured.Single(kind => kind.Kind == NodeMetrics.Type.Kind));
    private readonly ServedResource podMetrics = new(BuiltInKinds.Measured.Single(kind => kind.Kind == PodMetrics.Type.Kind));

    public static bool Handles(RequestInfo info) => info is { Group: MetricsGroup.Name, Version: MetricsGroup.Version };

    public async Task HandleAsync(ApiRequest request)
    {
        var info = request.Info;
        var isOfNodes = info.Resource == NodeMetrics.Type.Plural;
        if ((!isOfNodes && info.Resource != PodMetrics.Type.Plural) || info.Subresource.Length > 0 || (isOfNodes && info.Namespace.Length > 0))
        {
            throw StatusException.UnknownPath();
        }

        if (info.Verb is not ("get" or "list") || (info.Verb == "get" && !isOfNodes && info.Namespace.Length == 0))
        {
            throw StatusException.MethodNotAllowed(request.Http.Request.Method);
        }

        var shown = isOfNodes ? nodeMetrics : podMetrics;
        var accepted = Negotiation.Choose(request.Http.Request.Headers.Accept.ToString());
        var view = views.For(accepted.View, shown, request);
        var found = (isOfNodes ? await MeasureNodesAsync(request) : await MeasurePodsAsync(request))
            .Select(measured => new StoredObject(shown, shown.Key(measured.TextAt("metadata", "namespace") ?? "", measured.TextAt("metadata", "name")!), shown.Form.Encode(measured), 0)).ToList();
        if (info.Verb == "get")
        {
            var one = found.Count > 0 ? found[0] : throw StatusException.NotFound(info.Subject);
            await Answer.WriteAsync(request, 200, accepted.Format, output => view.WriteObject(output, one));
        }
        else
        {
            await Answer.WriteAsync(request, 200, accepted.Format, output => GuestPods.WriteList(output, view, found, 0));
        }
    }

    private async Task<IEnumerable<JsonObject>> MeasureNodesAsync(ApiRequest request)
    {
        var nodes = await ReadAsync(request, "", "nodes");
        var reports = await source.AskAsync(nodes, request.Stopping);
        return nodes.Select(node => (Node: node, Figures: reports.GetValueOrDefault(node.TextAt("metadata", "name")!)?.Node)).Where(each => each.Figures is not null).Select(each => GodwitJson.ToObject(new NodeMetrics
        {
            Metadata = MetadataOf(each.Node, each.Node.TextAt("metadata", "name")!, each.Figures!.ReadAt),
            Timestamp = each.Figures.ReadAt,
            Window = WindowOf(each.Figures),
            Usage = UsageOf(each.Figures),
        }));
    }

    private async Task<IEnumerable<JsonObject>> MeasurePodsAsync(ApiRequest request)
    {
        var pods = (await ReadAsync(request, "", "pods")).Select(pod => (Object: pod, Name: pod.TextAt("metadata", "name")!, Node: pod.TextAt("spec", "nodeName")));
        var guests = (await ReadAsync(request, GroupName.KubeVirt, "virtualmachineinstances")).Select(guest => (Object: guest, Name: GuestPods.NameOf(guest.TextAt("metadata", "name")!), Node: guest.TextAt("status", "nodeName")));
        var placed = pods.Concat(guests).Where(each => !string.IsNullOrEmpty(each.Node)).ToList();
        var names = placed.Select(each => each.Node!).ToHashSet(StringComparer.Ordinal);
        var nodes = new List<JsonObject>();
        if (names.Count > 0 && resources.Find("", "v1", "nodes") is { } all)
        {
            nodes.AddRange((await ReadAllAsync(new ObjectFilter(all, "", names.Count == 1 ? names.Single() : ""), request)).Where(node => names.Contains(node.TextAt("metadata", "name")!)));
        }

        var reports = await source.AskAsync(nodes, request.Stopping);
        var usages = reports.ToDictionary(report => report.Key, report => report.Value.Pods.GroupBy(pod => pod.Uid, StringComparer.Ordinal).ToDictionary(same => same.Key, same => same.First(), StringComparer.Ordinal), StringComparer.Ordinal);
        return placed.Select(each => (each.Object, each.Name, Usage: usages.GetValueOrDefault(each.Node!)?.GetValueOrDefault(each.Object.TextAt("metadata", "uid") ?? "")))
            .Where(each => each.Usage is { Containers.Count: > 0 })
            .Select(each => GodwitJson.ToObject(MetricsOf(each.Object, each.Name, each.Usage!)));
    }

    private static PodMetrics MetricsOf(JsonObject pod, string name, PodUsage usage)
    {
        var oldest = usage.Containers.MinBy(container => container.Figures.ReadAt)!.Figures;
        return new PodMetrics
        {
            Metadata = MetadataOf(pod, name, oldest.ReadAt),
            Timestamp = oldest.ReadAt,
            Window = WindowOf(oldest),
            Containers = [.. usage.Containers.Select(container => new ContainerMetrics { Name = container.Name, Usage = UsageOf(container.Figures) })],
        };
    }

    private async Task<List<JsonObject>> ReadAsync(ApiRequest request, string group, string plural)
    {
        if (resources.Find(group, "v1", plural) is not { } resource)
        {
            return [];
        }

        var filter = ObjectFilter.Read(resource, request.Info, ListOptions.Read(request));
        if (group == GroupName.KubeVirt && filter.Name.Length > 0)
        {
            filter = filter with { Name = GuestPods.GuestNameOf(filter.Name) };
        }

        return await ReadAllAsync(filter, request);
    }

    private async Task<List<JsonObject>> ReadAllAsync(ObjectFilter filter, ApiRequest request)
    {
        var found = new List<JsonObject>();
        await foreach (var page in lists.ReadAllAsync(filter, default, request.Stopping))
        {
            found.AddRange(page.Items.Select(item => filter.Resource.Form.Decode(item.Value.Span, item.Revision)));
        }

        return found;
    }

    private static ObjectMeta MetadataOf(JsonObject measured, string name, DateTimeOffset? readAt) => new()
    {
        Name = name,
        Namespace = measured.TextAt("metadata", "namespace") ?? "",
        Labels = (measured.ObjectAt("metadata", "labels") ?? []).ToDictionary(label => label.Key, label => JsonAccess.AsText(label.Value) ?? "", StringComparer.Ordinal),
        CreationTimestamp = readAt,
    };

    private static Dictionary<string, Quantity> UsageOf(UsageFigures figures) => new(StringComparer.Ordinal)
    {
        ["cpu"] = new Quantity(Math.Max(0, figures.CpuNanocores) / 1_000_000_000m, QuantityFormat.DecimalSI),
        ["memory"] = Quantity.FromBytes(Math.Max(0, figures.MemoryBytes)),
    };

    private static string WindowOf(UsageFigures figures) => string.Create(CultureInfo.InvariantCulture, $"{figures.WindowMs / 1000m:0.###}s");
}
