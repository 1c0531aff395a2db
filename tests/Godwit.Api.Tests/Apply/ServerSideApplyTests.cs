using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Apply;

namespace Godwit.Api.Tests.Apply;

public sealed class ServerSideApplyTests
{
    private const string LastAppliedKey = "kubectl.kubernetes.io/last-applied-configuration";
    private static readonly ResourceDefinition Settings = Kind("ConfigMap");
    private static readonly ResourceDefinition Machines = Kind("VirtualMachine");
    private static readonly DateTimeOffset Start = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void An_apply_creates_and_remembers_who_set_what()
    {
        var made = Apply(null, Data("""{"a":"1"}""", """{"app":"x"}"""), "alice");

        Assert.Equal(
            """[{"manager":"alice","operation":"Apply","apiVersion":"v1","time":"2026-01-31T12:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:a":{}},"f:metadata":{"f:labels":{"f:app":{}}}}}]""",
            made.At("metadata", "managedFields")!.ToJsonString());
    }

    [Fact]
    public void A_creation_that_is_no_apply_is_remembered_as_Kubernetes_writes_it()
    {
        var made = Update(null, Data("""{"a":"1"}""", """{"app":"x"}"""), "kubectl-create");

        Assert.Equal(
            """[{"manager":"kubectl-create","operation":"Update","apiVersion":"v1","time":"2026-01-31T12:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:a":{}},"f:metadata":{"f:labels":{".":{},"f:app":{}}}}}]""",
            made.At("metadata", "managedFields")!.ToJsonString());
    }

    [Fact]
    public void What_a_manager_no_longer_applies_goes_with_what_is_empty_by_that()
    {
        var first = Apply(null, Data("""{"a":"1","b":"2"}""", """{"app":"x"}"""), "alice");
        var second = Apply(first, Data("""{"a":"1"}"""), "alice");

        Assert.Equal("""{"a":"1"}""", second["data"]!.ToJsonString());
        Assert.Null(second.At("metadata", "labels"));
        Assert.Equal("settings", second.TextAt("metadata", "name"));
    }

    [Fact]
    public void What_another_manager_applied_or_wrote_stays()
    {
        var first = Apply(null, Data("""{"a":"1","b":"2"}"""), "alice");
        var shared = Apply(first, Data("""{"b":"2","c":"3"}"""), "bob");
        var edited = shared.DeepClone().AsObject();
        edited["data"]!["d"] = "4";
        edited = Update(shared, edited, "editor");
        var left = Apply(edited, Data("""{"a":"1"}"""), "alice");

        Assert.Equal("""{"a":"1","b":"2","c":"3","d":"4"}""", left["data"]!.ToJsonString());
    }

    [Fact]
    public void Changing_anothers_field_is_a_conflict_that_force_decides()
    {
        var first = Apply(null, Data("""{"a":"1"}"""), "alice");

        var error = Assert.Throws<ApplyConflictException>(() => Apply(first, Data("""{"a":"2"}"""), "bob"));
        var taken = Apply(first, Data("""{"a":"2"}"""), "bob", force: true);

        Assert.Equal(new ApplyConflict("\"alice\"", ".data.a"), Assert.Single(error.Conflicts));
        Assert.Equal("""Apply failed with 1 conflict: conflict with "alice": .data.a""", error.Message);
        Assert.Equal("2", taken.TextAt("data", "a"));
        Assert.Equal(["bob"], Managers(taken));
    }

    [Fact]
    public void Several_conflicts_are_told_by_manager()
    {
        var first = Update(null, Data("""{"a":"1","b":"2"}"""), "kubectl-create");
        var second = Apply(first, Data("""{"c":"3"}"""), "alice");

        var error = Assert.Throws<ApplyConflictException>(() => Apply(second, Data("""{"a":"9","b":"9","c":"9"}"""), "bob"));

        Assert.Equal("Apply failed with 3 conflicts: conflicts with \"alice\":\n- .data.c\nconflicts with \"kubectl-create\" using v1:\n- .data.a\n- .data.b", error.Message);
    }

    [Fact]
    public void Saying_the_same_as_another_is_to_share_a_field_and_no_conflict()
    {
        var first = Apply(null, Data("""{"a":"1"}"""), "alice");
        var shared = Apply(first, Data("""{"a":"1"}"""), "bob");
        var left = Apply(shared, Data("{}"), "alice");

        Assert.Equal("1", left.TextAt("data", "a"));
        Assert.Equal(["bob", "alice"], Managers(Apply(shared, Data("""{"b":"1"}"""), "alice", later: 1)));
        Assert.Throws<ApplyConflictException>(() => Apply(shared, Data("""{"a":"2"}"""), "alice"));
    }

    [Fact]
    public void Applying_the_same_again_changes_nothing_at_all() =>
        RandomData.Sample(values =>
        {
            var once = Apply(null, Data(values), "alice");
            Assert.Equal(once.ToJsonString(), Apply(once, Data(values), "alice", later: 1).ToJsonString());
        });

    [Fact]
    public void Managers_of_different_fields_commute() =>
        Gen.Select(RandomData, RandomData).Sample((left, right) =>
        {
            var others = JsonNode.Parse(right)!.AsObject().Select(field => KeyValuePair.Create("z" + field.Key, field.Value?.DeepClone()));
            var (mine, theirs) = (Data(left), Data(new JsonObject(others).ToJsonString()));
            var one = Apply(Apply(null, mine, "alice"), theirs, "bob");
            var other = Apply(Apply(null, theirs, "bob"), mine, "alice");
            Assert.True(JsonNode.DeepEquals(one["data"] ?? new JsonObject(), other["data"] ?? new JsonObject()), $"{one} {other}");
            Assert.Equal(Managers(one).Order(), Managers(other).Order());
        });

    [Fact]
    public void Applying_nothing_undoes_an_apply() =>
        Gen.Select(RandomData, RandomData).Sample((there, applied) =>
        {
            var live = Update(null, Data(there), "creator");
            var changed = Apply(live, Data(applied), "alice", force: true);
            var undone = Apply(changed, Data("{}"), "alice");
            var kept = live["data"]!.AsObject().Where(field => changed["data"]![field.Key]!.ToJsonString() == field.Value!.ToJsonString()).Select(field => field.Key);
            Assert.Equal(kept.Order(), (undone["data"] as JsonObject ?? []).Select(field => field.Key).Order());
        });

    [Fact]
    public void An_object_that_gave_its_managed_fields_up_belongs_to_those_before()
    {
        var live = Data("""{"a":"1"}""");

        var same = Apply(live, Data("""{"a":"1","b":"2"}"""), "alice");
        var error = Assert.Throws<ApplyConflictException>(() => Apply(live, Data("""{"a":"2"}"""), "alice"));

        Assert.Equal(["alice", ServerSideApply.BeforeFirstApply], Managers(same));
        Assert.Contains("before-first-apply", Assert.Single(error.Conflicts).Manager, StringComparison.Ordinal);
    }

    [Fact]
    public void Items_of_a_list_by_key_have_owners_of_their_own()
    {
        var first = Apply(null, Disks("root", "data"), "alice");
        var second = Apply(first, Disks("extra"), "bob");
        var third = Apply(second, Disks("root"), "alice");

        Assert.Equal(["root", "data", "extra"], Names(second));
        Assert.Equal(["root", "extra"], Names(third));
    }

    [Fact]
    public void Items_come_in_the_order_in_which_they_were_last_applied_and_others_keep_their_places()
    {
        var first = Apply(null, Disks("a", "b", "c", "d"), "alice");
        var second = Apply(first, Disks("d", "b"), "bob");

        Assert.Equal(["a", "c", "d", "b"], Names(second));
        Assert.Equal(["a", "b", "new", "c", "d", "last"], Names(Apply(first, Disks("b", "new", "c", "last"), "bob")));
    }

    [Fact]
    public void An_item_goes_although_another_wrote_into_it_but_not_if_another_applied_it()
    {
        var first = Apply(null, Disks("root", "data"), "alice");
        var touched = first.DeepClone().AsObject();
        DisksOf(touched)[1]!["bootOrder"] = 2;
        touched = Update(first, touched, "editor");

        Assert.Equal(["root"], Names(Apply(touched, Disks("root"), "alice")));
        Assert.Equal(["root", "data"], Names(Apply(Apply(touched, Disks("data"), "bob"), Disks("root"), "alice")));
    }

    [Fact]
    public void A_structure_that_is_no_longer_applied_goes_with_the_defaults_in_it()
    {
        var config = Disks("root");
        config["spec"]!["template"]!["spec"]!["domain"]!["cpu"] = new JsonObject { ["cores"] = 2 };
        var made = Apply(null, config, "alice");
        made["spec"]!["template"]!["spec"]!["domain"]!["cpu"]!["threads"] = 1; // As the kind's defaults would.

        var left = Apply(made, Disks("root"), "alice");

        Assert.Null(left.At("spec", "template", "spec", "domain", "cpu"));
        Assert.Equal(["root"], Names(left));
    }

    [Fact]
    public void A_status_is_not_applied_with_its_object_nor_the_object_with_its_status()
    {
        var config = Disks("root");
        config["status"] = new JsonObject { ["ready"] = true };

        var made = Apply(null, config, "alice");
        var status = Apply(made, config, "alice", subresource: "status");

        Assert.Null(made["status"]);
        Assert.Equal("""{"ready":true}""", status["status"]!.ToJsonString());
        Assert.Equal("""{"f:status":{"f:ready":{}}}""", status.ArrayAt("metadata", "managedFields")!.Single(entry => entry.TextAt("subresource") == "status").At("fieldsV1")!.ToJsonString());
    }

    [Fact]
    public void A_write_that_is_no_apply_takes_over_what_it_changes()
    {
        var first = Apply(null, Data("""{"a":"1","b":"2"}"""), "alice");
        var updated = Update(first, Data("""{"a":"9"}"""), "editor");

        Assert.Equal("""{"f:data":{"f:a":{}}}""", Assert.Single(updated.ArrayAt("metadata", "managedFields")!).At("fieldsV1")!.ToJsonString());
        Assert.Equal(["editor"], Managers(updated));
        Assert.Throws<ApplyConflictException>(() => Apply(updated, Data("""{"a":"1"}"""), "alice"));
    }

    [Fact]
    public void A_write_that_changes_nothing_leaves_the_managers_as_they_are()
    {
        var live = Apply(null, Data("""{"a":"1"}"""), "alice");

        Assert.True(JsonNode.DeepEquals(live, Update(live, live.DeepClone().AsObject(), "editor", later: 1)));
    }

    [Fact]
    public void Managed_fields_can_be_given_up_and_are_kept_when_left_out()
    {
        var live = Apply(null, Data("""{"a":"1"}"""), "alice");
        var given = Data("""{"a":"1"}""");
        given["metadata"]!["managedFields"] = new JsonArray(new JsonObject());

        Assert.Equal(["alice"], Managers(Update(live, Data("""{"a":"1"}"""), "editor")));
        var bare = Update(live, given, "editor");
        Assert.Empty(Managers(bare));
        Assert.Empty(Managers(Update(bare, Data("""{"a":"2"}"""), "editor")));
    }

    [Fact]
    public void Kubectl_takes_over_what_its_client_side_self_applied_and_nothing_else()
    {
        var old = Data("""{"a":"1","b":"2"}""");
        var live = old.DeepClone().AsObject();
        live["metadata"]!["annotations"] = new JsonObject { [LastAppliedKey] = old.ToJsonString() };
        live = Update(null, live, "kubectl-client-side-apply");

        var taken = Apply(live, Data("""{"a":"9","b":"2"}"""), "kubectl");

        Assert.Equal("9", taken.TextAt("data", "a"));
        Assert.Contains("\"a\":\"9\"", taken.TextAt("metadata", "annotations", LastAppliedKey), StringComparison.Ordinal);
        Assert.Throws<ApplyConflictException>(() => Apply(live, Data("""{"a":"9"}"""), "somebody-else"));
        var edited = live.DeepClone().AsObject();
        edited["data"]!["a"] = "7";
        edited = Update(live, edited, "kubectl-edit");
        Assert.Equal(".data.a", Assert.Single(Assert.Throws<ApplyConflictException>(() => Apply(edited, Data("""{"a":"9","b":"9"}"""), "kubectl")).Conflicts).Path);
    }

    [Fact]
    public void Managers_without_number_are_taken_together()
    {
        var live = Apply(null, Data("""{"a":"1"}"""), "alice");
        for (var number = 0; number < 60; number++)
        {
            var updated = live.DeepClone().AsObject();
            updated["data"]![$"k{number}"] = "x";
            live = Update(live, updated, $"m{number}", later: number);
        }

        var managers = Managers(live);
        Assert.Equal(ManagedFields.UpdatersMax + 1, managers.Count);
        Assert.Contains(ManagedFields.AncientManager, managers);
        Assert.Contains("alice", managers);
        Assert.Contains("m59", managers);
    }

    [Theory]
    [InlineData("""{"manager":"x","operation":"Steal","fieldsV1":{}}""")]
    [InlineData("""{"manager":"x","operation":"Apply"}""")]
    [InlineData("""{"manager":"x","operation":"Apply","fieldsType":"FieldsV2","fieldsV1":{}}""")]
    [InlineData("""{"manager":"x\u0007","operation":"Apply","fieldsV1":{}}""")]
    [InlineData("""{"manager":"x","operation":"Apply","fieldsV1":{"x:a":{}}}""")]
    public void Managed_fields_that_are_none_are_refused(string entry)
    {
        var live = Apply(null, Data("""{"a":"1"}"""), "alice");
        var updated = live.DeepClone().AsObject();
        updated["metadata"]!["managedFields"] = new JsonArray(JsonNode.Parse(entry));

        Assert.Throws<FormatException>(() => Update(live, updated, "editor"));
    }

    private static Gen<string> RandomData { get; } = RandomJson.Object.Select(values =>
        new JsonObject(values.Select(field => KeyValuePair.Create(field.Key, (JsonNode?)field.Value!.ToJsonString().Replace("\"", "", StringComparison.Ordinal)))).ToJsonString());

    private static JsonObject Apply(JsonObject? live, JsonObject config, string manager, bool force = false, int later = 0, string subresource = "")
    {
        var definition = config.TextAt("kind") == "ConfigMap" ? Settings : Machines;
        var (resource, managed) = ServerSideApply.Apply(live, config, definition, new FieldWriter(manager, definition.ApiVersion, subresource, Start.AddSeconds(later)), force);
        return WithManaged(resource, managed);
    }

    private static JsonObject Update(JsonObject? live, JsonObject updated, string manager, int later = 0)
    {
        var definition = updated.TextAt("kind") == "ConfigMap" ? Settings : Machines;
        return WithManaged(updated, ServerSideApply.Track(live, updated, definition, new FieldWriter(manager, definition.ApiVersion, "", Start.AddSeconds(later))));
    }

    private static JsonObject WithManaged(JsonObject resource, JsonArray? managed)
    {
        resource["metadata"]!.AsObject().Remove("managedFields");
        if (managed is not null)
        {
            resource["metadata"]!["managedFields"] = managed;
        }

        return resource;
    }

    private static List<string?> Managers(JsonObject resource) => [.. (resource.ArrayAt("metadata", "managedFields") ?? []).Select(entry => entry.TextAt("manager"))];

    private static JsonArray DisksOf(JsonObject machine) => machine.ArrayAt("spec", "template", "spec", "domain", "devices", "disks")!;

    private static JsonObject Data(string data, string? labels = null)
    {
        var metadata = new JsonObject { ["name"] = "settings", ["namespace"] = "default" };
        if (labels is not null)
        {
            metadata["labels"] = JsonNode.Parse(labels);
        }

        return new JsonObject { ["apiVersion"] = "v1", ["kind"] = "ConfigMap", ["metadata"] = metadata, ["data"] = JsonNode.Parse(data) };
    }

    private static JsonObject Disks(params string[] names)
    {
        var machine = JsonNode.Parse("""{"apiVersion":"kubevirt.io/v1","kind":"VirtualMachine","metadata":{"name":"vm","namespace":"default"},"spec":{"template":{"spec":{"domain":{"devices":{"disks":[]}}}}}}""")!.AsObject();
        var disks = DisksOf(machine);
        foreach (var name in names)
        {
            disks.Add((JsonNode)new JsonObject { ["name"] = name });
        }

        return machine;
    }

    private static string?[] Names(JsonObject machine) => [.. DisksOf(machine).Select(disk => disk.TextAt("name"))];

    private static ResourceDefinition Kind(string kind) => BuiltInKinds.All.Single(definition => definition.Kind == kind);
}
