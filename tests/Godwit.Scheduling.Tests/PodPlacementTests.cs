using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Scheduling.Pods;
using static Godwit.Scheduling.Tests.PodBuild;

namespace Godwit.Scheduling.Tests;

public sealed class PodPlacementTests
{
    [Fact]
    public void The_reasons_are_those_that_people_know_and_counted()
    {
        NodeFacts[] nodes =
        [
            Node("a", millicores: 100), Node("b", millicores: 100, memoryMiB: 10), Node("c") with { IsCordoned = true }, Node("d") with { IsReady = false },
            Node("e") with { Taints = [new Taint { Key = "gpu", Value = "yes", Effect = TaintEffects.NoSchedule }] }, Node("f") with { PodsMax = 0 },
            Node("g") with { HasNetwork = false },
        ];

        Assert.Equal(
            "0/7 nodes are available: 1 Insufficient memory, 1 Too many pods, 1 node(s) had untolerated taint {gpu: yes}, "
            + "1 node(s) were no members of the pods' network, 1 node(s) were not ready, 1 node(s) were unschedulable, 2 Insufficient cpu.",
            Explain(Pod(cpu: "200m", memory: "64Mi"), Cluster(nodes)));
    }

    [Fact]
    public void Without_nodes_it_says_so() => Assert.Equal("no nodes available to schedule pods", Explain(Pod(), Cluster([])));

    [Fact]
    public void A_pod_asks_for_its_worst_moment()
    {
        var pod = Pod(cpu: "200m").With(spec => spec with
        {
            InitContainers =
            [
                Container("early", cpu: "350m"), Container("sidecar", cpu: "100m") with { RestartPolicy = "Always" }, Container("late", cpu: "220m"),
            ],
        });

        Assert.Equal(350, PodNeeds.Of(pod).Amount.Millicores);
        Assert.Equal(320, PodNeeds.Of(pod.With(spec => spec with { InitContainers = [.. spec.InitContainers.Skip(1)] })).Amount.Millicores);
        Assert.Equal(300, PodNeeds.Of(pod.With(spec => spec with { InitContainers = [spec.InitContainers[1]] })).Amount.Millicores);
    }

    [Fact]
    public void A_limit_without_a_request_is_the_request()
    {
        var pod = Pod().With(spec => spec with { Containers = [new Container { Name = "c", Resources = new ContainerResources { Limits = Amounts(("memory", "1Gi")) } }] });

        Assert.Equal(1024 * Build.MiB, PodNeeds.Of(pod).Amount.MemoryBytes);
    }

    [Fact]
    public void To_a_node_that_is_short_of_memory_come_pods_that_say_what_they_need_and_guests_and_to_one_that_is_short_of_disk_guests()
    {
        var (memory, disk) = (Tainted(TaintKeys.MemoryPressure), Tainted(TaintKeys.DiskPressure));
        Assert.Equal("0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/memory-pressure: }.", Explain(Pod(), Cluster([memory])));
        Assert.Equal("a", Chosen(Pod(memory: "1Mi"), Cluster([memory])));
        Assert.Contains("disk-pressure", Explain(Pod(memory: "1Mi"), Cluster([disk])), StringComparison.Ordinal);
        Assert.All([memory, disk], node => Assert.IsType<Placement.Chosen>(Placement.For(GuestNeeds.Of(Build.Vmi()), Cluster([node]))));

        static NodeFacts Tainted(string key) => Node("a") with { Taints = [new Taint { Key = key, Effect = TaintEffects.NoSchedule }] };
    }

    [Fact]
    public void Guests_and_pods_share_the_room_of_a_node()
    {
        var node = Node("a", memoryMiB: 1024);
        var guest = Build.Vmi("guest", "512Mi", "a", "Running");
        var cluster = new ClusterSnapshot([node], [new Reservation("a", "ns/guest", GuestNeeds.Of(guest).Amount)]);

        Assert.Equal("0/1 nodes are available: 1 Insufficient memory.", Explain(Pod(memory: "600Mi"), cluster));
        Assert.Equal("a", Chosen(Pod(memory: "300Mi"), cluster));
        Assert.IsType<Placement.Nowhere>(Placement.For(Build.Guest(memoryMiB: 600), Cluster([node], Pod(memory: "600Mi", node: "a"))));
    }

    [Fact]
    public void A_device_that_a_node_does_not_have_is_insufficient_and_disk_that_it_has_not_reported_is_not()
    {
        var asking = Pod().With(spec => spec with
        {
            Containers = [new Container { Name = "c", Resources = new ContainerResources { Requests = Amounts(("example.org/gpu", "1"), ("ephemeral-storage", "1Gi")) } }],
        });

        Assert.Equal("0/1 nodes are available: 1 Insufficient example.org/gpu.", Explain(asking, Cluster([Node("a")])));
        var equipped = Node("a") with { Others = new Dictionary<string, long> { ["example.org/gpu"] = 1 } };
        Assert.Equal("a", Chosen(asking, Cluster([equipped])));
        Assert.Equal("0/1 nodes are available: 1 Insufficient example.org/gpu.", Explain(asking, Cluster([equipped], asking.With(spec => spec with { NodeName = "a" }))));
    }

    [Theory]
    [InlineData("In", "a", true)]
    [InlineData("In", "b", false)]
    [InlineData("NotIn", "a", false)]
    [InlineData("Exists", null, true)]
    [InlineData("DoesNotExist", null, false)]
    [InlineData("Gt", "1", false)]
    public void Node_affinity_is_asked_of_labels(string @operator, string? value, bool fits)
    {
        var term = new NodeSelectorTerm { MatchExpressions = [new NodeSelectorRequirement { Key = Zone, Operator = @operator, Values = value is null ? [] : [value] }] };
        var pod = Requiring(term);

        Assert.Equal(fits ? "a" : "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", Text(pod, Cluster([Node("a")])));
    }

    [Fact]
    public void A_node_can_be_asked_for_by_name_as_daemons_do()
    {
        var term = new NodeSelectorTerm { MatchFields = [new NodeSelectorRequirement { Key = "metadata.name", Operator = "In", Values = ["b"] }] };

        Assert.Equal("b", Chosen(Requiring(term), Cluster([Node("a"), Node("b"), Node("c")])));
        Assert.Contains("node affinity", Explain(Requiring(new NodeSelectorTerm()), Cluster([Node("a")])), StringComparison.Ordinal);
    }

    [Fact]
    public void A_port_of_the_host_is_given_once()
    {
        static Pod Taking(string? address, string? node = null) => Pod(node: node).With(spec => spec with
        {
            Containers = [new Container { Name = "c", Ports = [new ContainerPort { Number = 80, HostPort = 8080, HostIP = address }] }],
        });

        var taken = Cluster([Node("a")], Taking("10.0.0.1", "a"));
        Assert.Equal("0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.", Explain(Taking(null), taken));
        Assert.Equal("a", Chosen(Taking("10.0.0.2"), taken));
    }

    [Fact]
    public void Pods_that_repel_each_other_lie_on_different_nodes_whichever_of_the_two_says_so()
    {
        NodeFacts[] nodes = [Node("a"), Node("b")];
        var shy = Pod(app: "web").Away(Term("web"));

        Assert.Equal("b", Chosen(shy, Cluster(nodes, Pod("one", node: "a", app: "web"))));
        Assert.Equal("b", Chosen(Pod(app: "web"), Cluster(nodes, Pod("one", node: "a").Away(Term("web")))));
        Assert.Equal(
            "0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 1 node(s) didn't satisfy existing pods anti-affinity rules.",
            Explain(shy, Cluster(nodes, Pod("one", node: "a", app: "web"), Pod("two", node: "b").Away(Term("web")))));
    }

    [Fact]
    public void A_pod_goes_to_the_place_of_those_that_it_wants_to_be_near_to()
    {
        NodeFacts[] nodes = [Node("a", "east"), Node("b", "west"), Node("c", "west", memoryMiB: 64_000)];
        var pod = Pod(app: "web").Near(Term("cache", Zone));

        Assert.Equal("a", Chosen(pod, Cluster(nodes, Pod("cache", node: "a", app: "cache"))));
        Assert.Equal("0/3 nodes are available: 3 node(s) didn't match pod affinity rules.", Explain(pod, Cluster(nodes)));
    }

    [Fact]
    public void The_first_of_pods_that_want_to_be_together_may_begin_anywhere() =>
        Assert.NotEmpty(Chosen(Pod(app: "web").Near(Term("web")), Cluster([Node("a"), Node("b")])));

    [Fact]
    public void A_term_reaches_into_the_namespaces_that_it_selects()
    {
        var elsewhere = Pod("other", node: "a", app: "web");
        elsewhere = elsewhere with { Metadata = elsewhere.Metadata with { Namespace = "team" } };
        var labels = new Dictionary<string, IReadOnlyDictionary<string, string>> { ["team"] = new Dictionary<string, string> { ["kind"] = "prod" } };
        var cluster = new ClusterSnapshot([Node("a", memoryMiB: 64_000, millicores: 64_000), Node("b")], [Reservation.Of(PodNeeds.Of(elsewhere), "a")], labels);
        var selected = Term("web") with { NamespaceSelector = new LabelSelectorSpec { MatchLabels = new Dictionary<string, string> { ["kind"] = "prod" } } };

        Assert.Equal("a", Chosen(Pod().Away(Term("web")), cluster));
        Assert.Equal("b", Chosen(Pod().Away(selected), cluster));
        Assert.Equal("b", Chosen(Pod().Away(Term("web") with { Namespaces = ["team"] }), cluster));
    }

    [Fact]
    public void Spread_counts_places_and_not_nodes()
    {
        NodeFacts[] nodes = [Node("a", "east"), Node("b", "west"), Node("c", "west")];
        var pod = Pod(app: "web").Spread("web", Zone);

        Assert.Equal("a", Chosen(pod, Cluster(nodes, Pod("one", node: "b", app: "web"))));
        Assert.Equal(
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match pod topology spread constraints.",
            Explain(Pod(cpu: "1", app: "web").Spread("web", Zone), Cluster([Node("a", "east", millicores: 10), nodes[1], nodes[2]], Pod("one", node: "b", app: "web"))));
    }

    [Fact]
    public void With_too_few_places_the_emptiest_counts_as_empty() =>
        Assert.Equal(
            "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints.",
            Explain(Pod(app: "web").Spread("web", Zone, minDomains: 2), Cluster([Node("a")], Pod("one", node: "a", app: "web"))));

    [Fact]
    public void A_node_without_the_label_is_no_place() =>
        Assert.Equal(
            "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).",
            Explain(Pod(app: "web").Spread("web", "rack"), Cluster([Node("a")])));

    [Fact]
    public void A_pod_that_is_ending_holds_its_room_and_counts_in_no_spread()
    {
        var ending = Pod("one", cpu: "1", node: "a", app: "web");
        ending = ending with { Metadata = ending.Metadata with { DeletionTimestamp = DateTimeOffset.UnixEpoch } };
        NodeFacts[] nodes = [Node("a", "east", millicores: 1500), Node("b", "west", millicores: 100)];

        Assert.Equal("a", Chosen(Pod(cpu: "500m", app: "web").Spread("web", Zone), Cluster(nodes, ending)));
        Assert.Contains("2 Insufficient cpu", Explain(Pod(cpu: "600m"), Cluster(nodes, ending)), StringComparison.Ordinal);
    }

    [Fact]
    public void Wishes_decide_between_nodes_that_fit()
    {
        NodeFacts[] nodes = [Node("a"), Node("b"), Node("c") with { Taints = [new Taint { Key = "old", Effect = TaintEffects.PreferNoSchedule }] }];
        var named = new NodeSelectorTerm { MatchFields = [new NodeSelectorRequirement { Key = "metadata.name", Operator = "In", Values = ["b"] }] };
        var wishing = Pod().With(spec => spec with
        {
            Affinity = new Affinity { NodeAffinity = new NodeAffinity { PreferredDuringSchedulingIgnoredDuringExecution = [new PreferredSchedulingTerm { Weight = 10, Preference = named }] } },
        });
        var sociable = Pod().With(spec => spec with
        {
            Affinity = new Affinity { PodAffinity = new PodAffinity { PreferredDuringSchedulingIgnoredDuringExecution = [new WeightedPodAffinityTerm { Weight = 1, PodAffinityTerm = Term("web") }] } },
        });

        Assert.Equal("b", Chosen(wishing, Cluster(nodes)));
        Assert.Equal("b", Chosen(sociable, Cluster(nodes, Pod("web", node: "b", app: "web"))));
        Assert.Equal("a", Chosen(Pod(), Cluster([nodes[0], nodes[2]], Pod("one", node: "a"), Pod("two", node: "a"))));
        Assert.Equal("b", Chosen(Pod(app: "web").Spread("web", LabelNames.Hostname, unsatisfiable: "ScheduleAnyway"), Cluster([nodes[0], nodes[1]], Pod("one", node: "a", app: "web"))));
    }

    [Fact]
    public void Pods_of_one_owner_spread_though_they_ask_for_nothing()
    {
        var owned = PodNeeds.Of(Pod()) with { OwnerUid = "set" };
        var placed = PodPlacement.ForAll(Enumerable.Repeat(owned, 9), Cluster([Node("a"), Node("b"), Node("c")])).Select(each => ((PodPlacement.Chosen)each.Placement).NodeName);

        Assert.Equal([3, 3, 3], placed.GroupBy(name => name).Select(group => group.Count()));
    }

    private static Pod Requiring(NodeSelectorTerm term) => Pod().With(spec => spec with
    {
        Affinity = new Affinity { NodeAffinity = new NodeAffinity { RequiredDuringSchedulingIgnoredDuringExecution = new NodeSelector { NodeSelectorTerms = [term] } } },
    });

    private static string Chosen(Pod pod, ClusterSnapshot cluster) => Assert.IsType<PodPlacement.Chosen>(PodPlacement.For(PodNeeds.Of(pod), cluster)).NodeName;

    private static string Explain(Pod pod, ClusterSnapshot cluster) => Assert.IsType<PodPlacement.Nowhere>(PodPlacement.For(PodNeeds.Of(pod), cluster)).Explain();

    private static string Text(Pod pod, ClusterSnapshot cluster) =>
        PodPlacement.For(PodNeeds.Of(pod), cluster) is PodPlacement.Chosen chosen ? chosen.NodeName : Explain(pod, cluster);
}
