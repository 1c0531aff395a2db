using CsCheck;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.ApiServer.Access;
using Godwit.ApiServer.Requests;
using ObjectReference = Godwit.ApiServer.Access.ObjectReference;

namespace Godwit.ApiServer.Tests.Access;

public sealed class ReferenceTests
{
    private static readonly Gen<string> Name = Gen.Int[0, 5].Select(number => $"n{number}");

    private static readonly Gen<(ObjectReference Reference, PodSpec Spec)> Place = Gen.Select(Gen.Int[0, 10], Name, (where, name) => where switch
    {
        0 => (Secret(name), new PodSpec { Volumes = [new PodVolume { Secret = new SecretVolumeSource { SecretName = name } }] }),
        1 => (Map(name), new PodSpec { Volumes = [new PodVolume { ConfigMap = new ConfigMapVolumeSource { Name = name } }] }),
        2 => (Secret(name), new PodSpec { Volumes = [new PodVolume { Projected = new ProjectedVolumeSource { Sources = [new VolumeProjection(), new VolumeProjection { Secret = new SecretProjection { Name = name } }] } }] }),
        3 => (Map(name), new PodSpec { Volumes = [new PodVolume { Projected = new ProjectedVolumeSource { Sources = [new VolumeProjection { ConfigMap = new ConfigMapProjection { Name = name } }] } }] }),
        4 => (Secret(name), new PodSpec { ImagePullSecrets = [new LocalObjectReference { Name = name }] }),
        5 => (Secret(name), new PodSpec { Containers = [new Container { Env = [new EnvVar { ValueFrom = new EnvVarSource { SecretKeyRef = new SecretKeySelector { Name = name } } }] }] }),
        6 => (Map(name), new PodSpec { InitContainers = [new Container { Env = [new EnvVar { ValueFrom = new EnvVarSource { ConfigMapKeyRef = new ConfigMapKeySelector { Name = name } } }] }] }),
        7 => (Secret(name), new PodSpec { InitContainers = [new Container { EnvFrom = [new EnvFromSource { SecretRef = new SecretEnvSource { Name = name } }] }] }),
        8 => (Map(name), new PodSpec { EphemeralContainers = [new EphemeralContainer { EnvFrom = [new EnvFromSource { ConfigMapRef = new ConfigMapEnvSource { Name = name } }] }] }),
        9 => (new ObjectReference(ObjectReference.Claims, "ns", name), new PodSpec { Volumes = [new PodVolume { PersistentVolumeClaim = new PersistentVolumeClaimVolumeSource { ClaimName = name } }] }),
        _ => (new ObjectReference(ObjectReference.ServiceAccounts, "ns", name), new PodSpec { ServiceAccountName = name }),
    });

    [Fact]
    public void Every_place_of_a_pod_that_names_an_object_refers_to_it_and_to_nothing_else() =>
        Place.List[0, 6].Sample(places =>
        {
            var spec = places.Select(place => place.Spec).Aggregate(new PodSpec(), Merge);
            var expected = places.Select(place => place.Reference).Where(reference => reference.Plural != ObjectReference.ServiceAccounts || reference.Name == spec.ServiceAccountName).ToHashSet();
            return expected.SetEquals(WorkloadReferences.Of(new Pod { Metadata = new ObjectMeta { Namespace = "ns", Name = "p" }, Spec = spec }));
        });

    [Fact]
    public void The_graph_says_what_the_last_words_of_all_workloads_and_moves_come_to()
    {
        var act = Gen.OneOf(
            Gen.Select(Name, Name.List[0, 3], (workload, names) => (Action: "refers", workload, other: "", names: names)),
            Gen.Select(Name, Name, Name, (source, workload, node) => (Action: "places", workload: source, other: $"{workload}@{node}", names: new List<string>())),
            Name.Select(source => (Action: "unplaces", workload: source, other: "", names: new List<string>())));
        act.List[0, 60].Sample(acts =>
        {
            var graph = new ReferenceGraph();
            var (references, placements) = (new Dictionary<string, HashSet<ObjectReference>>(), new Dictionary<string, Placement>());
            foreach (var (action, key, other, names) in acts)
            {
                switch (action)
                {
                    case "refers":
                        references[key] = [.. names.Select(Secret)];
                        graph.SetReferences(key, references[key]);
                        break;
                    case "places":
                        placements[key] = new Placement(other.Split('@')[0], other.Split('@')[1]);
                        graph.SetPlacement(key, placements[key]);
                        break;
                    default:
                        placements.Remove(key);
                        graph.SetPlacement(key, null);
                        break;
                }
            }

            return Enumerable.Range(0, 6).All(node => Enumerable.Range(0, 6).All(name =>
                graph.IsNeededBy($"n{node}", Secret($"n{name}"))
                    == placements.Values.Any(placed => placed.Node == $"n{node}" && references.TryGetValue(placed.Workload, out var found) && found.Contains(Secret($"n{name}")))
                && graph.IsOn($"n{node}", $"n{name}") == placements.Values.Any(placed => placed == new Placement($"n{name}", $"n{node}"))));
        });
    }

    [Fact]
    public void No_verb_but_get_of_one_named_object_is_ever_left_to_the_graph()
    {
        var verbs = OneOf("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "*", "proxy");
        Gen.Select(verbs, OneOf("secrets", "configmaps"), OneOf("", "a"), OneOf("", "kube-system", "b"), OneOf("", "status")).Sample((verb, resource, name, space, subresource) =>
        {
            var info = new RequestInfo { Path = "", IsResource = true, Verb = verb, Resource = resource, Name = name, Namespace = space, Subresource = subresource, SelectedNode = "node-1" };
            return NodeAuthorizer.Judge("node-1", info) switch
            {
                NodeVerdict.IfRefersTo { Wanted: var wanted } => verb == "get" && name.Length > 0 && space.Length > 0 && subresource.Length == 0 && wanted == new ObjectReference(resource, space, name),
                NodeVerdict.Decided { Allowed: var allowed } => !allowed,
                _ => false,
            };
        });
    }

    private static Gen<string> OneOf(params string[] words) => Gen.Int[0, words.Length - 1].Select(index => words[index]);

    private static PodSpec Merge(PodSpec one, PodSpec other) => one with
    {
        Volumes = [.. one.Volumes, .. other.Volumes],
        Containers = [.. one.Containers, .. other.Containers],
        InitContainers = [.. one.InitContainers, .. other.InitContainers],
        EphemeralContainers = [.. one.EphemeralContainers, .. other.EphemeralContainers],
        ImagePullSecrets = [.. one.ImagePullSecrets, .. other.ImagePullSecrets],
        ServiceAccountName = other.ServiceAccountName ?? one.ServiceAccountName,
    };

    private static ObjectReference Secret(string name) => new(ObjectReference.Secrets, "ns", name);

    private static ObjectReference Map(string name) => new(ObjectReference.ConfigMaps, "ns", name);
}
