using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;

namespace Godwit.Scheduling.Tests;

public sealed class FactsTests
{
    [Fact]
    public void A_guest_needs_its_memory_and_QEMUs_own_and_a_tenth_of_a_core_for_each_CPU()
    {
        var vmi = Build.Vmi(memory: "1Gi");
        vmi = vmi with { Spec = vmi.Spec with { Domain = vmi.Spec.Domain with { Cpu = new Cpu { Cores = 2, Sockets = 2 } } } };

        var needs = GuestNeeds.Of(vmi);

        Assert.Equal((1024 + 120 + 4 + 32) * Build.MiB, needs.Amount.MemoryBytes);
        Assert.Equal(400, needs.Amount.Millicores);
    }

    [Fact]
    public void Requests_count_where_they_are_given()
    {
        var requests = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse("1500m"), ["memory"] = Quantity.Parse("256Mi") };
        var vmi = new VirtualMachineInstance { Spec = new() { Domain = new() { Resources = new() { Requests = requests } } } };

        Assert.Equal(1500, GuestNeeds.Of(vmi).Amount.Millicores);
        Assert.Equal(256 * Build.MiB, GuestNeeds.MemoryBytes(vmi.Spec.Domain));
    }

    [Fact]
    public void Numbers_beyond_all_reason_do_not_wrap_around_and_fit()
    {
        var vmi = Build.Vmi(memory: "9223372036854775807");
        vmi = vmi with { Spec = vmi.Spec with { Domain = vmi.Spec.Domain with { Cpu = new Cpu { Cores = int.MaxValue, Sockets = int.MaxValue, Threads = int.MaxValue } } } };

        var placement = Placement.For(GuestNeeds.Of(vmi), new ClusterSnapshot([Build.Node("n", memoryMiB: 1 << 24, millicores: 1 << 20)], []));

        Assert.IsType<Placement.Nowhere>(placement);
    }

    [Fact]
    public void An_alias_of_a_machine_type_binds_to_no_version_but_the_running_machine_does()
    {
        var vmi = Build.Vmi() with { Spec = new() { Domain = new() { Machine = new Machine { Type = "q35" } } } };

        Assert.Null(GuestNeeds.Of(vmi).MachineType);
        Assert.Equal("pc-q35-10.0", GuestNeeds.Of(vmi with { Status = new() { Machine = new Machine { Type = "pc-q35-10.0" } } }).MachineType);
    }

    [Fact]
    public void Images_are_known_by_their_folders()
    {
        var vmi = new VirtualMachineInstance
        {
            Spec = new()
            {
                Domain = new() { Firmware = new() { KernelBoot = new() { Container = new() { Image = "tiny:latest" } } } },
                Volumes = [new Volume { Name = "a", ContainerDisk = new() { Image = "debian:12" } }, new Volume { Name = "b", ContainerDisk = new() { Image = "tiny" } }],
            },
        };

        Assert.Equal(["tiny", "debian-12"], GuestNeeds.Of(vmi).Images);
    }

    [Fact]
    public void Images_that_a_node_pulls_need_not_be_on_it()
    {
        var digest = $"debian@sha256:{new string('a', 64)}";
        var vmi = new VirtualMachineInstance
        {
            Spec = new()
            {
                Domain = new() { Firmware = new() { KernelBoot = new() { Container = new() { Image = "registry.example:5000/team/kernel:6" } } } },
                Volumes = [new Volume { Name = "a", ContainerDisk = new() { Image = digest } }, new Volume { Name = "b", ContainerDisk = new() { Image = "team/disk" } }, new Volume { Name = "c", ContainerDisk = new() { Image = "tiny" } }],
            },
        };

        Assert.Equal(["tiny"], GuestNeeds.Of(vmi).Images);
    }

    [Fact]
    public void A_node_is_read_from_its_object()
    {
        var node = new Node
        {
            Metadata = new ObjectMeta
            {
                Name = "n",
                Annotations = new Dictionary<string, string>
                {
                    [AnnotationNames.QemuVersion] = "10.0.2",
                    [AnnotationNames.MachineTypes] = "pc-q35-10.0, pc-q35-9.2",
                    [AnnotationNames.UnderlayAddress] = "10.0.0.1",
                    [AnnotationNames.Accelerator] = "tcg",
                },
            },
            Status = new NodeStatus
            {
                Allocatable = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse("2"), ["memory"] = Quantity.Parse("4Gi") },
                Conditions = [new NodeCondition { Type = "Ready", Status = "True" }],
            },
        };

        var facts = NodeFacts.Of(node);

        Assert.True(facts.IsReady);
        Assert.True(facts.HasNetwork);
        Assert.Equal(new ResourceAmount(4096 * Build.MiB, 2000), facts.Allocatable);
        Assert.Equal(new Version(10, 0, 2), facts.QemuVersion);
        Assert.Equal(["pc-q35-10.0", "pc-q35-9.2"], facts.MachineTypes!.Order(StringComparer.Ordinal));
        Assert.Null(facts.Images);
    }

    [Fact]
    public void A_node_without_a_report_is_not_ready() => Assert.False(NodeFacts.Of(new Node()).IsReady);

    [Fact]
    public void A_guest_holds_its_room_until_it_ends_and_a_move_holds_room_on_its_target_too()
    {
        var nodes = new[] { new Node { Metadata = new ObjectMeta { Name = "a" } }, new Node { Metadata = new ObjectMeta { Name = "b" } } };
        var running = Build.Vmi("running", nodeName: "a", phase: "Running");
        var ended = Build.Vmi("ended", nodeName: "a", phase: "Succeeded");
        var waiting = Build.Vmi("waiting");
        var move = new VirtualMachineInstanceMigration
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = "m" },
            Spec = new() { VmiName = "running" },
            Status = new() { Phase = "Scheduled", MigrationState = new() { TargetNode = "b" } },
        };
        var amount = GuestNeeds.Of(running).Amount;

        var during = ClusterSnapshot.Of(nodes, [running, ended, waiting], [move]);
        var moved = ClusterSnapshot.Of(nodes, [running with { Status = running.Status with { NodeName = "b" } }], [move]);
        var failed = ClusterSnapshot.Of(nodes, [running], [move with { Status = move.Status with { Phase = "Failed" } }]);

        // It has arrived, and its new node has not said so yet.
        var over = move with { Metadata = move.Metadata with { Uid = "m" }, Status = move.Status with { Phase = "Succeeded" } };
        var named = running with { Status = running.Status with { MigrationState = new() { MigrationUid = "m", SourceNode = "a", TargetNode = "b" } } };
        var arrived = ClusterSnapshot.Of(nodes, [named], [over]);

        Assert.Equal((default, amount), (arrived.ReservedOn("a"), arrived.ReservedOn("b")));
        Assert.Equal((amount, amount), (during.ReservedOn("a"), during.ReservedOn("b")));
        Assert.Equal((default, amount), (moved.ReservedOn("a"), moved.ReservedOn("b")));
        Assert.Equal((amount, default), (failed.ReservedOn("a"), failed.ReservedOn("b")));
    }
}
