using Godwit.Containers;
using Godwit.Linux.ControlGroups;
using Godwit.Linux.Networking;

namespace Godwit.Real.Tests.Containers;

[Trait("Needs", "root")]
public sealed class SandboxTests
{
    private const long SandboxBytes = 32L << 20;

    [Fact]
    public async Task Containers_share_a_sandbox_that_outlives_each_of_them_and_the_engine()
    {
        await using var lab = await EngineLab.OpenAsync(options => options with { UsesSandboxes = true });
        var sandbox = lab.Engine.Sandboxes.Ensure(Spec(lab));
        var first = await lab.StartAsync(Inside(lab, EngineLab.Shell("ip addr add 10.9.9.9/32 dev lo && echo words > /dev/shm/note; sleep 1000")));
        await EngineLab.UntilAsync(async () => (await lab.ExecuteAsync(first, "cat", "/dev/shm/note")).Output == "words\n", "the first container wrote its note");
        await lab.Engine.RemoveAsync(first, new RemoveOptions(Force: true), EngineLab.Stopping);

        await lab.StopEngineAsync();
        await lab.StartEngineAsync();
        Assert.Equal(sandbox, Assert.Single(lab.Engine.Sandboxes.List()));
        var (output, exit) = await lab.RunAsync(Inside(lab, EngineLab.Shell("cat /dev/shm/note; ip -o addr show dev lo | grep -c 10.9.9.9; hostname; cat /etc/hosts; grep name /etc/resolv.conf")));
        Assert.Equal(0, exit.Code);
        Assert.Equal("words\n1\ntogether\n10.1.2.3 together\nnameserver 10.1.2.1\n", output);

        await lab.Engine.RemoveSandboxAsync(sandbox.Spec.Id, EngineLab.Stopping);
        Assert.Empty(lab.Engine.List());
        Assert.Empty(lab.Engine.Sandboxes.List());
        Assert.Null(NetworkNamespace.Find(sandbox.NetworkName!));
        Assert.False(Directory.Exists(sandbox.Folder));
        Assert.False(ControlGroupHost.Detect(TimeProvider.System).Open(sandbox.Spec.ControlGroup).Exists);
    }

    [Fact]
    public async Task A_sandbox_with_a_running_container_is_not_removed_and_its_bound_holds_for_all_of_them()
    {
        await using var lab = await EngineLab.OpenAsync(options => options with { UsesSandboxes = true });
        var sandbox = lab.Engine.Sandboxes.Ensure(Spec(lab));
        var idle = await lab.StartAsync(Inside(lab, EngineLab.Shell("sleep 1000")));
        await Assert.ThrowsAsync<ConflictException>(() => lab.Engine.RemoveSandboxAsync(sandbox.Spec.Id, EngineLab.Stopping));

        // dd holds its whole block in memory: more than the sandbox may have, though the container itself has no bound.
        var (_, exit) = await lab.RunAsync(Inside(lab, EngineLab.Spec("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1")));
        Assert.Equal(137, exit.Code);
        Assert.True(lab.Engine.Get(idle).State.IsAlive);
        await lab.Engine.RemoveAsync(idle, new RemoveOptions(Force: true), EngineLab.Stopping);
        await lab.Engine.RemoveSandboxAsync(sandbox.Spec.Id, EngineLab.Stopping);
    }

    private static SandboxSpec Spec(EngineLab lab) => new()
    {
        Id = "0123",
        HostName = "together",
        Hosts = "10.1.2.3 together\n",
        Resolver = "nameserver 10.1.2.1\n",
        ControlGroup = $"{lab.Options.ControlGroup}/box",
        Limits = new ControlGroupLimits { MemoryBytes = SandboxBytes },
    };

    private static ContainerSpec Inside(EngineLab lab, ContainerSpec spec) => spec with
    {
        Network = new NetworkSpec { Mode = NetworkMode.Sandbox, Sandbox = "0123" },
        Isolation = new IsolationSpec
        {
            CapabilitiesAdded = ["NET_ADMIN"],
            IpcNamespace = new NamespaceSpec.OfSandbox(),
            HostNameNamespace = new NamespaceSpec.OfSandbox(),
            ParentControlGroup = $"{lab.Options.ControlGroup}/box",
        },
    };
}
