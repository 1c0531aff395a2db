using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;

namespace Godwit.Cli.Tests;

public sealed class VmCommandTests : IAsyncLifetime
{
    private TestCluster cluster = null!;

    private static CancellationToken Stopping => TestCluster.Stopping;

    public async ValueTask InitializeAsync() => cluster = await TestCluster.StartAsync();

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    [Fact]
    public async Task Lists_are_tables_for_people_and_objects_for_programs()
    {
        await cluster.AddNodeAsync("node-1");
        await cluster.AddGuestAsync("tiny", "node-1");
        await cluster.RunAsync("vm", "create", "web", "--stopped", "--cpus", "2", "--memory", "1Gi", "--image", "my-web");
        Golden.Check("vm-list", await cluster.PrintedAsync("vm", "list"));
        Golden.Check("vm-list-wide", await cluster.PrintedAsync("vm", "list", "-o", "wide", "-A"));
        Golden.Check("nodes", await cluster.PrintedAsync("nodes"));
        Assert.Equal("virtualmachine/tiny\nvirtualmachine/web\n", await cluster.PrintedAsync("vm", "list", "-o", "name"));

        var json = JsonNode.Parse(await cluster.PrintedAsync("vm", "list", "-o", "json"))!;
        Assert.Equal("VirtualMachineList", (string?)json["kind"]);
        Assert.Equal(["tiny", "web"], json["items"]!.AsArray().Select(item => (string?)item!["metadata"]!["name"]));
    }

    [Fact]
    public async Task An_empty_list_says_so_beside_the_table_and_not_in_it()
    {
        var ran = await cluster.RunAsync("vm", "list");
        Assert.Equal(ExitCodes.Done, ran.ExitCode);
        Assert.Contains("godwit vm create", ran.Error, StringComparison.Ordinal);
        Assert.StartsWith("NAME", ran.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_machine_is_shown_in_full()
    {
        await cluster.AddGuestAsync("tiny", "node-1");
        await cluster.Client.For<Event>().CreateAsync(
            new Event
            {
                Metadata = new ObjectMeta { Name = "tiny.1", Namespace = "default" },
                InvolvedObject = new ObjectReference { Kind = "VirtualMachineInstance", Name = "tiny", Namespace = "default" },
                Reason = "Started",
                Message = "the guest runs on node-1",
                Severity = EventTypes.Normal,
                LastTimestamp = cluster.Clock.GetUtcNow(),
            },
            Stopping);
        Golden.Check("vm-show", await cluster.PrintedAsync("vm", "show", "tiny"));
    }

    [Fact]
    public async Task A_mistyped_name_is_exit_code_3_with_the_nearest_one()
    {
        await cluster.RunAsync("vm", "create", "tiny");
        foreach (var verb in (string[])["show", "start", "pause", "delete", "log"])
        {
            var ran = await cluster.RunAsync("vm", verb, "tinny");
            Assert.Equal(ExitCodes.NotFound, ran.ExitCode);
            Assert.Contains("Did you mean 'tiny'?", ran.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Creating_a_machine_twice_is_refused_in_the_servers_words()
    {
        Assert.Equal("tiny created, starting\n", await cluster.PrintedAsync("vm", "create", "tiny"));
        var again = await cluster.RunAsync("vm", "create", "tiny");
        Assert.Equal(ExitCodes.Failed, again.ExitCode);
        Assert.Contains("already exists", again.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_ready_made_guests_are_created_as_the_examples_say()
    {
        await cluster.RunAsync("vm", "create", "tiny", "--kernel-args", "tiny.rate=20M tiny.set=64M");
        await AssertLikeExampleAsync("tiny");
        var userData = Path.Combine(Path.GetDirectoryName(cluster.KubeconfigPath)!, "user-data");
        await File.WriteAllTextAsync(userData, "#cloud-config\nhostname: debian\npassword: godwit\nchpasswd: { expire: false }\nssh_pwauth: true\n", Stopping);
        await cluster.RunAsync("vm", "create", "debian", "--image", "debian", "--user-data", userData);
        await AssertLikeExampleAsync("debian");
    }

    [Theory]
    [InlineData("vm create other")]
    [InlineData("vm stop tiny")]
    [InlineData("vm show tiny")]
    [InlineData("vm list")]
    [InlineData("nodes")]
    [InlineData("migrate list")]
    [InlineData("version")]
    [InlineData("vm delete tiny")]
    public async Task For_a_program_every_command_answers_with_JSON_and_nothing_else(string line)
    {
        await cluster.RunAsync("vm", "create", "tiny");
        var ran = await cluster.RunAsync([.. line.Split(' '), "-o", "json"]);
        Assert.True(ran.ExitCode == ExitCodes.Done, ran.Error);
        Assert.NotEmpty(JsonNode.Parse(ran.Output)!.AsObject());
    }

    [Fact]
    public async Task A_restart_waits_for_another_incarnation_than_the_one_that_was_there()
    {
        var old = await cluster.AddGuestAsync("tiny", "node-1");
        var running = cluster.RunAsync("vm", "restart", "tiny", "--wait", "--timeout", "100h");
        var guests = cluster.Client.For<VirtualMachineInstance>();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (await guests.FindAsync(new ResourceKey("default", "tiny"), Stopping) is not null)
        {
            await timer.WaitForNextTickAsync(Stopping);
        }

        var next = await guests.CreateAsync(new VirtualMachineInstance { Metadata = new ObjectMeta { Name = "tiny", Namespace = "default" }, Spec = old.Spec }, Stopping);
        await guests.ChangeStatusAsync(next, next with { Status = new VirtualMachineInstanceStatus { NodeName = "node-1", Phase = VirtualMachineInstancePhases.Running } }, Stopping);
        while (!running.IsCompleted)
        {
            cluster.Clock.Advance(TimeSpan.FromMilliseconds(500)); // Between two looks it waits by its clock.
            await timer.WaitForNextTickAsync(Stopping);
        }

        Assert.Equal((ExitCodes.Done, "tiny running\n"), ((await running).ExitCode, (await running).Output));
    }

    [Fact]
    public async Task Start_and_stop_change_what_the_machine_is_asked_to_be()
    {
        await cluster.RunAsync("vm", "create", "tiny", "--stopped");
        Assert.Equal("tiny starting\n", await cluster.PrintedAsync("vm", "start", "tiny"));
        Assert.Equal(RunStrategies.Always, (await MachineAsync("tiny")).Spec.RunStrategy);
        Assert.Equal("tiny stopping\n", await cluster.PrintedAsync("vm", "stop", "tiny"));
        Assert.Equal(RunStrategies.Halted, (await MachineAsync("tiny")).Spec.RunStrategy);
    }

    [Fact]
    public async Task Waiting_for_a_start_ends_when_the_machine_is_ready()
    {
        await cluster.RunAsync("vm", "create", "tiny", "--stopped");
        var starting = cluster.RunAsync("vm", "start", "tiny", "--wait");
        var vm = await MachineAsync("tiny");
        Assert.False(starting.IsCompleted);
        await cluster.Client.For<VirtualMachine>().PatchStatusAsync(
            ResourceKey.Of(vm), new JsonObject { ["status"] = new JsonObject { ["ready"] = true, ["printableStatus"] = PrintableStatuses.Running } }, Stopping);
        Assert.Equal((ExitCodes.Done, "tiny running\n"), await starting switch { var ran => (ran.ExitCode, ran.Output) });
    }

    [Fact]
    public async Task Deleting_several_machines_deletes_none_when_one_name_is_wrong()
    {
        await cluster.RunAsync("vm", "create", "one");
        await cluster.RunAsync("vm", "create", "two");
        Assert.Equal(ExitCodes.NotFound, (await cluster.RunAsync("vm", "delete", "one", "tow")).ExitCode);
        Assert.Equal("virtualmachine/one\nvirtualmachine/two\n", await cluster.PrintedAsync("vm", "list", "-o", "name"));
        Assert.Equal("one deleted\ntwo deleted\n", await cluster.PrintedAsync("vm", "delete", "one", "two", "--wait"));
        Assert.Equal("", await cluster.PrintedAsync("vm", "list", "-o", "name"));
    }

    [Fact]
    public async Task The_shell_completes_commands_and_the_names_of_machines()
    {
        await cluster.RunAsync("vm", "create", "tiny");
        await cluster.RunAsync("vm", "create", "toy");
        Assert.Equal(["tiny", "toy"], Lines(await cluster.PrintedAsync("[suggest:14]", "godwit vm stop") + await cluster.PrintedAsync("[suggest:16]", "godwit vm stop t")).Where(word => word.StartsWith('t')));
        Assert.Contains("console", Lines(await cluster.PrintedAsync("[suggest:12]", "godwit vm co")));
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private Task<VirtualMachine> MachineAsync(string name) => cluster.Client.For<VirtualMachine>().GetAsync(new ResourceKey("default", name), Stopping);

    private async Task AssertLikeExampleAsync(string name)
    {
        var example = Yaml.ToJson(await File.ReadAllTextAsync(RepositoryFile($"examples/{name}.yaml"), Stopping));
        var made = GodwitJson.ToObject(await MachineAsync(name));
        await cluster.RunAsync("vm", "delete", name);
        var meant = GodwitJson.ToObject(await cluster.Client.For<VirtualMachine>().CreateAsync(
            GodwitJson.FromNode<VirtualMachine>(example) switch { var vm => vm with { Metadata = vm.Metadata with { Namespace = "default" } } }, Stopping));
        Assert.Equal(meant["spec"]!.ToJsonString(), made["spec"]!.ToJsonString());
    }

    private static string RepositoryFile(string path, [System.Runtime.CompilerServices.CallerFilePath] string testFile = "") =>
        Path.Combine(Path.GetDirectoryName(testFile)!, "../..", path);
}
