using System.Text.Json;
using Godwit.Api.Coordination.V1;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;

namespace Godwit.Api.Tests.Types;

public sealed class GodwitJsonTests
{
    [Fact]
    public void A_new_object_writes_its_kind_and_nothing_that_is_empty()
    {
        var json = GodwitJson.Serialize(new ConfigMap { Metadata = new() { Name = "a", Namespace = "default" } });

        Assert.Equal("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"default"}}""", json);
    }

    [Fact]
    public void Absent_and_null_lists_and_objects_are_read_as_empty()
    {
        var read = GodwitJson.Deserialize<VirtualMachineInstance>(
            """{"metadata":null,"spec":{"domain":{"devices":{"disks":null}},"volumes":[{"name":"root"}]}}""");

        Assert.Empty(read.Spec.Domain.Devices.Disks);
        Assert.Empty(read.Spec.Domain.Devices.Interfaces);
        Assert.Empty(read.Metadata.Labels);
        Assert.Equal("", read.Metadata.Name);
        Assert.Null(Assert.Single(read.Spec.Volumes).HostDisk);
        Assert.Equal("kubevirt.io/v1", read.ApiVersion);
        Assert.Equal("VirtualMachineInstance", read.Kind);
    }

    [Fact]
    public void A_machine_goes_to_json_and_back_unchanged()
    {
        const string json =
            """
            {"apiVersion":"kubevirt.io/v1","kind":"VirtualMachine","metadata":{"name":"web","namespace":"default","creationTimestamp":"2026-01-31T12:00:00Z","labels":{"a":"b"}},"spec":{"runStrategy":"Always","template":{"metadata":{},"spec":{"domain":{"cpu":{"cores":2},"devices":{"disks":[{"name":"root","disk":{"bus":"virtio"}}],"interfaces":[{"name":"default","bridge":{}}]},"firmware":{"kernelBoot":{"container":{"image":"tiny","kernelPath":"/vmlinuz"},"kernelArgs":"console=ttyS0"}},"memory":{"guest":"512Mi"}},"networks":[{"name":"default","pod":{}}],"volumes":[{"name":"root","containerDisk":{"image":"debian"}}]}}},"status":{}}
            """;

        var machine = GodwitJson.Deserialize<VirtualMachine>(json);
        var again = GodwitJson.ToObject(machine);

        Assert.True(System.Text.Json.Nodes.JsonNode.DeepEquals(System.Text.Json.Nodes.JsonNode.Parse(json), again), again.ToJsonString());
        Assert.Equal(512L << 20, machine.Spec.Template.Spec.Domain.Memory!.Guest!.Value.ToInt64());
    }

    [Fact]
    public void An_empty_list_still_has_items()
    {
        var json = GodwitJson.Serialize(new ResourceList<Node>());

        Assert.Contains("\"items\":[]", json, StringComparison.Ordinal);
        Assert.Contains("\"kind\":\"NodeList\"", json, StringComparison.Ordinal);
    }

    [Fact]
    public void Lease_times_keep_their_microseconds_and_object_times_their_seconds()
    {
        var time = new DateTimeOffset(2026, 1, 31, 12, 0, 0, TimeSpan.Zero).AddMicroseconds(123456);
        var json = GodwitJson.Serialize(new Lease { Metadata = new() { CreationTimestamp = time }, Spec = new() { RenewTime = time } });

        Assert.Contains("\"renewTime\":\"2026-01-31T12:00:00.123456Z\"", json, StringComparison.Ordinal);
        Assert.Contains("\"creationTimestamp\":\"2026-01-31T12:00:00Z\"", json, StringComparison.Ordinal);
        Assert.Equal(time, GodwitJson.Deserialize<Lease>(json).Spec.RenewTime);
    }

    [Fact]
    public void A_secret_in_a_log_line_shows_its_name_only()
    {
        var secret = new Secret { Metadata = new() { Name = "s" }, StringData = new Dictionary<string, string> { ["password"] = "hunter2" } };

        Assert.DoesNotContain("hunter2", secret.ToString(), StringComparison.Ordinal);
        Assert.Contains("/s", secret.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"spec\":{\"domain\":7}}")]
    [InlineData("{\"spec\":{\"domain\":{\"memory\":{\"guest\":\"much\"}}}}")]
    [InlineData("{\"metadata\":{\"creationTimestamp\":\"yesterday\"}}")]
    [InlineData("[]")]
    [InlineData("null")]
    public void Json_of_another_shape_is_refused(string json) =>
        Assert.Throws<JsonException>(() => GodwitJson.Deserialize<VirtualMachineInstance>(json));

    [Fact]
    public void Paths_are_those_of_the_kubernetes_api()
    {
        Assert.Equal("/apis/kubevirt.io/v1/namespaces/a%2F..%2Fb/virtualmachines/x/status", VirtualMachine.Type.Path("a/../b", "x", "status"));
        Assert.Equal("/api/v1/nodes", Node.Type.Path());
        Assert.Equal("/api/v1/nodes/n", Node.Type.Path("ignored", "n"));
    }

    [Fact]
    public void A_watch_event_carries_its_object_unread()
    {
        var line = GodwitJson.Deserialize<WatchEvent>("""{"type":"ADDED","object":{"kind":"Node","metadata":{"name":"n1"},"status":{"capacity":{"cpu":"2"}}}}""");

        var node = GodwitJson.FromElement<Node>(line.Object);
        Assert.Equal(Quantity.FromCount(2), node.Status.Capacity[Quantities.Cpu]);
    }
}
