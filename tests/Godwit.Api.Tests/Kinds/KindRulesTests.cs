using System.Text.Json.Nodes;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.Api.Tests.Kinds;

public sealed class KindRulesTests
{
    private const string Tiny =
        """
        {"metadata":{"name":"tiny","namespace":"default"},"spec":{"runStrategy":"Always","template":{"metadata":{"labels":{"app":"tiny"}},
        "spec":{"domain":{"cpu":{"cores":1},"memory":{"guest":"256Mi"},
        "devices":{"disks":[{"name":"root","disk":{"bus":"virtio"}}],"interfaces":[{"name":"default","bridge":{}}]},
        "firmware":{"kernelBoot":{"container":{"image":"tiny","kernelPath":"/vmlinuz","initrdPath":"/initrd"},"kernelArgs":"console=ttyS0 quiet"}}},
        "networks":[{"name":"default","pod":{}}],"volumes":[{"name":"root","containerDisk":{"image":"debian"}}]}}}}
        """;

    [Fact]
    public void A_sensible_machine_is_accepted() => Assert.Empty(Errors("VirtualMachine", Tiny));

    [Theory]
    [InlineData("spec/template/spec/domain/cpu/cores", "0", "spec.template.spec.domain.cpu.cores")]
    [InlineData("spec/template/spec/domain/cpu/cores", "1000", "spec.template.spec.domain.cpu.cores")]
    [InlineData("spec/template/spec/domain/cpu/model", "\"host,+vmx\"", "spec.template.spec.domain.cpu.model")]
    [InlineData("spec/template/spec/domain/memory", "{}", "spec.template.spec.domain.memory.guest")]
    [InlineData("spec/template/spec/domain/memory/guest", "\"1k\"", "spec.template.spec.domain.memory.guest")]
    [InlineData("spec/template/spec/domain/memory/guest", "\"-5Gi\"", "spec.template.spec.domain.memory.guest")]
    [InlineData("spec/template/spec/domain/machine", """{"type":"q35,accel=kvm"}""", "spec.template.spec.domain.machine.type")]
    [InlineData("spec/template/spec/domain/firmware/kernelBoot/container/image", "\"../../etc\"", "spec.template.spec.domain.firmware.kernelBoot.container.image")]
    [InlineData("spec/template/spec/domain/firmware/kernelBoot/container/kernelPath", "\"/../vmlinuz\"", "spec.template.spec.domain.firmware.kernelBoot.container.kernelPath")]
    [InlineData("spec/template/spec/domain/firmware/kernelBoot/kernelArgs", "\"a\\nb\"", "spec.template.spec.domain.firmware.kernelBoot.kernelArgs")]
    [InlineData("spec/template/spec/domain/devices/autoattachGraphicsDevice", "true", "spec.template.spec.domain.devices.autoattachGraphicsDevice")]
    [InlineData("spec/template/spec/domain/devices/disks/0/name", "\"other\"", "spec.template.spec.domain.devices.disks[0].name")]
    [InlineData("spec/template/spec/domain/devices/disks/0/bootOrder", "0", "spec.template.spec.domain.devices.disks[0].bootOrder")]
    [InlineData("spec/template/spec/domain/devices/disks/0/disk/bus", "\"scsi\"", "spec.template.spec.domain.devices.disks[0].disk.bus")]
    [InlineData("spec/template/spec/domain/devices/interfaces/0/macAddress", "\"01:00:00:00:00:01\"", "spec.template.spec.domain.devices.interfaces[0].macAddress")]
    [InlineData("spec/template/spec/domain/devices/interfaces/0/macAddress", "\"02-00-00-00-00-01\"", "spec.template.spec.domain.devices.interfaces[0].macAddress")]
    [InlineData("spec/template/spec/networks", "[]", "spec.template.spec.domain.devices.interfaces[0].name")]
    [InlineData("spec/template/spec/volumes/0/containerDisk/image", "\"/etc/passwd\"", "spec.template.spec.volumes[0].containerDisk.image")]
    [InlineData("spec/template/spec/volumes/0/containerDisk/path", "\"/disk/../../etc/passwd\"", "spec.template.spec.volumes[0].containerDisk.path")]
    [InlineData("spec/template/spec/volumes/0/containerDisk/path", "\"disk/a.img\"", "spec.template.spec.volumes[0].containerDisk.path")]
    [InlineData("spec/template/spec/volumes/0/containerDisk/path", "\"\"", "spec.template.spec.volumes[0].containerDisk.path")]
    [InlineData("spec/template/spec/volumes/0/containerDisk/imagePullPolicy", "\"Sometimes\"", "spec.template.spec.volumes[0].containerDisk.imagePullPolicy")]
    [InlineData("spec/template/spec/volumes/0/containerDisk/imagePullSecret", "\"../other\"", "spec.template.spec.volumes[0].containerDisk.imagePullSecret")]
    [InlineData("spec/template/spec/volumes/0/emptyDisk", """{"capacity":"1Gi"}""", "spec.template.spec.volumes[0]")]
    [InlineData("spec/template/spec/terminationGracePeriodSeconds", "-1", "spec.template.spec.terminationGracePeriodSeconds")]
    [InlineData("spec/template/metadata/labels/app", "\"a/b\"", "spec.template.metadata.labels")]
    [InlineData("spec/running", "true", "spec.running")]
    [InlineData("metadata/name", "\"../x\"", "metadata.name")]
    [InlineData("metadata/name", "\"Upper\"", "metadata.name")]
    [InlineData("metadata/labels", """{"a b":"c"}""", "metadata.labels")]
    [InlineData("metadata/finalizers", """["mine"]""", "metadata.finalizers")]
    public void A_machine_that_cannot_be_is_refused_at_the_field(string where, string value, string path)
    {
        var machine = Set(Tiny, where, value);

        Assert.Contains(Errors("VirtualMachine", machine), error => error.Path == path);
    }

    [Theory]
    [InlineData("""{"hostDisk":{"path":"relative.img","type":"Disk"}}""", "hostDisk.path")]
    [InlineData("""{"hostDisk":{"path":"/a/../../etc/shadow","type":"Disk"}}""", "hostDisk.path")]
    [InlineData("""{"hostDisk":{"path":"/a,file=/etc/shadow","type":"Disk"}}""", "hostDisk.path")]
    [InlineData("""{"hostDisk":{"path":"/a.img","type":"DiskOrCreate"}}""", "hostDisk.capacity")]
    [InlineData("""{"cloudInitNoCloud":{"userData":"a","userDataBase64":"YQ=="}}""", "cloudInitNoCloud")]
    [InlineData("""{"cloudInitNoCloud":{"userDataBase64":"%%"}}""", "cloudInitNoCloud.userDataBase64")]
    [InlineData("""{"emptyDisk":{"capacity":"0"}}""", "emptyDisk.capacity")]
    [InlineData("{}", "")]
    public void A_volume_that_cannot_be_is_refused_at_the_field(string source, string path)
    {
        var volume = JsonNode.Parse(source)!.AsObject();
        volume["name"] = "root";
        var machine = Set(Tiny, "spec/template/spec/volumes/0", volume.ToJsonString());

        var expected = "spec.template.spec.volumes[0]" + (path.Length == 0 ? "" : "." + path);
        Assert.Contains(Errors("VirtualMachine", machine), error => error.Path == expected);
    }

    [Fact]
    public void Defaults_give_a_machine_one_card_and_are_the_same_when_applied_twice()
    {
        var strategy = Kind("VirtualMachineInstance").Strategy;
        var machine = Parse("""{"metadata":{"name":"a","namespace":"default"},"spec":{"domain":{"memory":{"guest":"64Mi"},"devices":{"disks":[{"name":"d"}]}},"volumes":[{"name":"d","emptyDisk":{"capacity":"1Mi"}}]}}""");

        strategy.ApplyDefaults(machine);
        var once = machine.ToJsonString();
        strategy.ApplyDefaults(machine);

        Assert.Equal(once, machine.ToJsonString());
        Assert.Equal("default", machine.ArrayAt("spec", "networks")![0].TextAt("name"));
        Assert.NotNull(machine.ArrayAt("spec", "domain", "devices", "interfaces")![0].ObjectAt("bridge"));
        Assert.Empty(Errors("VirtualMachineInstance", machine.ToJsonString()));
    }

    [Fact]
    public void A_machine_without_network_stays_without()
    {
        var machine = Parse("""{"spec":{"domain":{"devices":{"autoattachPodInterface":false}}}}""");

        Kind("VirtualMachineInstance").Strategy.ApplyDefaults(machine);

        Assert.Null(machine.At("spec", "networks"));
    }

    [Fact]
    public void The_spec_of_a_running_machine_cannot_be_changed()
    {
        var existing = Parse("""{"spec":{"domain":{"memory":{"guest":"64Mi"},"devices":{}}}}""");
        var updated = Parse("""{"spec":{"domain":{"memory":{"guest":"128Mi"},"devices":{}}}}""");

        var errors = Kind("VirtualMachineInstance").Strategy.ValidateUpdate(updated, existing);

        Assert.Equal(FieldErrorKind.Forbidden, Assert.Single(errors).Kind);
    }

    [Fact]
    public void Secret_text_moves_into_data_and_is_not_kept()
    {
        var secret = Parse("""{"stringData":{"password":"x"},"data":{"password":"b2xk","other":"eQ=="}}""");

        Kind("Secret").Strategy.ApplyDefaults(secret);

        Assert.Equal("""{"data":{"password":"eA==","other":"eQ=="},"type":"Opaque"}""", secret.ToJsonString());
    }

    [Fact]
    public void Immutable_settings_stay_as_they_are()
    {
        var strategy = Kind("ConfigMap").Strategy;
        var existing = Parse("""{"immutable":true,"data":{"a":"b"}}""");

        Assert.Empty(strategy.ValidateUpdate(Parse("""{"immutable":true,"data":{"a":"b"}}"""), existing));
        Assert.NotEmpty(strategy.ValidateUpdate(Parse("""{"immutable":true,"data":{"a":"c"}}"""), existing));
        Assert.NotEmpty(strategy.ValidateUpdate(Parse("""{"data":{"a":"b"}}"""), existing));
    }

    [Theory]
    [InlineData("../a")]
    [InlineData("a/b")]
    [InlineData("..")]
    [InlineData("")]
    public void A_setting_whose_key_leads_elsewhere_is_refused(string key)
    {
        var settings = new JsonObject { ["data"] = new JsonObject { [key] = "x" } };

        Assert.NotEmpty(Kind("ConfigMap").Strategy.Validate(settings));
    }

    [Theory]
    [InlineData("warm")]
    [InlineData("Precopy")]
    public void A_migration_in_an_unknown_mode_is_refused(string mode)
    {
        var migration = $$$"""{"metadata":{"name":"m","namespace":"default","annotations":{"godwit.dev/mode":"{{{mode}}}"} },"spec":{"vmiName":"a"}}""";

        Assert.Contains(Errors("VirtualMachineInstanceMigration", migration), error => error.Path == "metadata.annotations[godwit.dev/mode]");
    }

    internal static IReadOnlyList<FieldError> Errors(string kind, string json)
    {
        var (definition, resource) = (Kind(kind), Parse(json));
        var findings = SchemaCheck.Run(definition.Schema, resource);
        if (findings.Errors.Count > 0)
        {
            return findings.Errors;
        }

        Assert.Empty(findings.UnknownFields);
        return [.. MetadataRules.Validate(definition, resource), .. definition.Strategy.Validate(resource)];
    }

    private static ResourceDefinition Kind(string kind) => BuiltInKinds.All.Single(definition => definition.Kind == kind);

    private static string Set(string json, string where, string value)
    {
        var root = Parse(json);
        var steps = where.Split('/');
        JsonNode node = root;
        foreach (var step in steps[..^1])
        {
            node = node switch
            {
                JsonArray list => list[int.Parse(step, System.Globalization.CultureInfo.InvariantCulture)]!,
                JsonObject inner => inner.ContainsKey(step) ? inner[step]! : inner.GetOrAddObject(step),
                _ => throw new ArgumentException(where, nameof(where)),
            };
        }

        if (node is JsonArray items)
        {
            items[int.Parse(steps[^1], System.Globalization.CultureInfo.InvariantCulture)] = JsonNode.Parse(value);
        }
        else
        {
            node.AsObject()[steps[^1]] = JsonNode.Parse(value);
        }

        return root.ToJsonString();
    }

    private static JsonObject Parse(string json) => JsonNode.Parse(json)!.AsObject();
}
