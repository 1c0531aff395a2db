using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Godwit.Api.Apps.V1;
using Godwit.Api.Coordination.V1;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;
using Godwit.Store.Tests.Etcd;

namespace Godwit.Real.Tests.Servers;

/// <summary>Two servers over a real etcd of three members, and what happens when one of either is killed under load.</summary>
[Trait("Needs", "etcd")]
public sealed class ServersOverEtcdTests : IAsyncLifetime
{
    private const int Writers = 4;

    private readonly string folder = Directory.CreateTempSubdirectory($"godwit-servers-{Environment.ProcessId}-").FullName;
    private readonly CancellationTokenSource bound = new(TimeSpan.FromMinutes(4));
    private readonly ConcurrentDictionary<string, bool> acknowledged = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> told = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource enough = new();
    private IReadOnlyList<EtcdMemberProcess> members = [];

    private string Store => $"etcd://{string.Join(',', members)}";

    public ValueTask InitializeAsync()
    {
        members = EtcdMemberProcess.Cluster(folder, 3);
        foreach (var member in members)
        {
            member.Start();
        }

        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var member in members)
        {
            await member.DisposeAsync();
        }

        bound.Dispose();
        enough.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_server_and_a_member_are_killed_under_load_and_nothing_acknowledged_is_lost()
    {
        await using var one = await ServerProcess.StartAsync(Path.Combine(folder, "one"), Store, bound.Token);
        await UntilAsync(async () => (await LeaderAsync(one)).Length > 0);
        ServerProcess.CopyPki(one, Path.Combine(folder, "two"));
        await using var two = await ServerProcess.StartAsync(Path.Combine(folder, "two"), Store, bound.Token);
        var watching = WatchAsync(two);
        var writing = Enumerable.Range(0, Writers).Select(writer => WriteAsync(writer, one, two)).ToList();

        // The controllers lead at the first server, also for what the second one is told.
        await MakeDeploymentAsync(two, "before");
        await UntilAsync(() => HasReplicaSetAsync(two, "before"));
        var leader = await LeaderAsync(two);
        await MoreAsync(100);

        var storeGap = await GapAsync(() => members[0].KillAsync());
        members[0].Start();
        await MoreAsync(100);
        var serverGap = await GapAsync(one.KillAsync);
        var killed = Stopwatch.GetTimestamp();
        await MakeDeploymentAsync(two, "after");
        await UntilAsync(() => HasReplicaSetAsync(two, "after"));
        var failover = Stopwatch.GetElapsedTime(killed);
        Assert.NotEqual(leader, await LeaderAsync(two));

        await enough.CancelAsync();
        await Task.WhenAll(writing);
        var maps = await two.Client.For<ConfigMap>().ListAsync(new ListOptions { Namespace = "default" }, bound.Token);
        var there = maps.Items.Select(map => map.Metadata.Name).ToHashSet(StringComparer.Ordinal);
        Assert.Subset(there, acknowledged.Keys.ToHashSet(StringComparer.Ordinal));
        await UntilAsync(() => Task.FromResult(acknowledged.Keys.All(told.ContainsKey)));
        await bound.CancelAsync();
        await watching;
        TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant(
            $"{acknowledged.Count} writes acknowledged; {Writers} more were acknowledged {storeGap.TotalSeconds:0.00} s after a member of etcd was killed and {serverGap.TotalSeconds:0.00} s after a server was; its controllers' work went on elsewhere after {failover.TotalSeconds:0.0} s"));
        Assert.True(failover < TimeSpan.FromSeconds(25), $"controllers failed over after {failover}");
    }

    [Fact]
    public async Task A_server_with_keys_of_its_own_is_refused_and_says_what_to_copy()
    {
        await using var one = await ServerProcess.StartAsync(Path.Combine(folder, "one"), Store, bound.Token);
        var (code, log) = await ServerProcess.RunAsync(Path.Combine(folder, "two"), Store, bound.Token);
        Assert.NotEqual(0, code);
        Assert.Contains("Copy the whole folder pki/ of one of them over it", log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_ran_alone_comes_along_by_a_copy_with_all_that_it_had()
    {
        var data = Path.Combine(folder, "one");
        var key = new ResourceKey("default", "kept");
        await using (var alone = await ServerProcess.StartAsync(data, store: null, bound.Token))
        {
            await alone.Client.For<ConfigMap>().CreateAsync(new ConfigMap { Metadata = new ObjectMeta { Namespace = key.Namespace, Name = key.Name } }, bound.Token);
            Assert.NotEqual(0, (await CopyAsync(data)).Code); // The server holds its file.
        }

        var (code, text) = await CopyAsync(data);
        Assert.True(code == 0, text);
        Assert.Contains("all there and the same", text, StringComparison.Ordinal);
        (code, text) = await CopyAsync(data);
        Assert.NotEqual(0, code);
        Assert.Contains("objects of Godwit already", text, StringComparison.Ordinal);

        await using var one = await ServerProcess.StartAsync(data, Store, bound.Token);
        Assert.NotNull(await one.Client.For<ConfigMap>().FindAsync(key, bound.Token));
    }

    private async Task<(int Code, string Text)> CopyAsync(string data)
    {
        using var copy = Process.Start(new ProcessStartInfo(Labs.GodwitLab.Program, ["store", "copy", "--data", data, "--to", Store]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var texts = await Task.WhenAll(copy.StandardOutput.ReadToEndAsync(bound.Token), copy.StandardError.ReadToEndAsync(bound.Token));
        await copy.WaitForExitAsync(bound.Token);
        return (copy.ExitCode, string.Concat(texts));
    }

    private async Task<string> LeaderAsync(ServerProcess server) =>
        (await server.Client.For<Lease>().FindAsync(new ResourceKey("kube-system", "godwit-controllers"), bound.Token))?.Spec.HolderIdentity ?? "";

    private async Task<bool> HasReplicaSetAsync(ServerProcess server, string deployment)
    {
        var sets = await server.Client.For<ReplicaSet>().ListAsync(new ListOptions { Namespace = "default" }, bound.Token);
        return sets.Items.Any(set => set.Metadata.OwnerReferences.Any(owner => owner.Name == deployment));
    }

    private async Task MakeDeploymentAsync(ServerProcess server, string name)
    {
        var deployment = JsonNode.Parse("""
            {
              "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "NAME", "namespace": "default" },
              "spec": {
                "replicas": 1, "selector": { "matchLabels": { "app": "NAME" } },
                "template": { "metadata": { "labels": { "app": "NAME" } }, "spec": { "containers": [ { "name": "c", "image": "none" } ] } }
              }
            }
            """.Replace("NAME", name, StringComparison.Ordinal))!.AsObject();
        await server.Client.For<Deployment>().CreateAsync(Api.GodwitJson.FromNode<Deployment>(deployment), bound.Token);
    }

    /// <summary>Makes one ConfigMap after another, at whichever server answers.</summary>
    private async Task WriteAsync(int writer, params ServerProcess[] servers)
    {
        for (var (number, at) = (0, writer); !enough.IsCancellationRequested; number++)
        {
            var server = servers[at % servers.Length];
            var name = $"w{writer}-{number}";
            try
            {
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(bound.Token);
                patience.CancelAfter(TimeSpan.FromSeconds(20));
                await server.Client.For<ConfigMap>().CreateAsync(new ConfigMap { Metadata = new ObjectMeta { Namespace = "default", Name = name } }, patience.Token);
                acknowledged[name] = true;
            }
            catch (Exception error) when (error is ApiException or ClusterUnreachableException || (error is OperationCanceledException && !bound.IsCancellationRequested))
            {
                at += server.IsRunning ? 0 : 1; // Its end is not known: the next one has another name.
            }
        }
    }

    /// <summary>Hears of every ConfigMap by one list and watches from there on, at one server.</summary>
    private async Task WatchAsync(ServerProcess server)
    {
        var maps = new ResourceCache<ConfigMap>(server.Client.For<ConfigMap>(), new ListOptions { Namespace = "default" }, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        maps.Subscribe(change =>
        {
            if (change.After is { } map)
            {
                told[map.Metadata.Name] = true;
            }
        });
        try
        {
            await maps.RunAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private async Task MoreAsync(int count)
    {
        var wanted = acknowledged.Count + count;
        await UntilAsync(() => Task.FromResult(acknowledged.Count >= wanted));
    }

    /// <summary>How long it took after something was killed until as many more writes were acknowledged as there are writers.</summary>
    private async Task<TimeSpan> GapAsync(Func<Task> kill)
    {
        await kill();
        var started = Stopwatch.GetTimestamp();
        await MoreAsync(Writers);
        return Stopwatch.GetElapsedTime(started);
    }

    private async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await condition())
        {
            await look.WaitForNextTickAsync(bound.Token);
        }
    }
}
