using System.Collections.Concurrent;
using System.Net;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;
using Godwit.Networks.Probing;
using Godwit.Node.Observer;
using Godwit.Node.Tests.Clusters;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Node.Tests.Observer;

public sealed class MigrationObserverTests
{
    [Fact]
    public async Task A_move_is_watched_from_before_its_stream_until_after_its_end_and_what_was_seen_is_written()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var observer = new TestObserver(cluster);
        var migration = await observer.ScheduleAsync("move-1");
        await TestCluster.UntilAsync(() => Task.FromResult(observer.Watcher.Watched.Count), count => count == 1);
        Assert.Equal(IPAddress.Parse("10.77.0.7"), observer.Watcher.Watched.Single());

        await observer.SetPhaseAsync("move-1", MigrationPhases.Succeeded);

        var written = await observer.UntilMeasuredAsync("move-1");
        Assert.Equal(42, written.Status.Measurement!.NetworkDowntimeMs);
        Assert.True(written.Status.Measurement.Reachable);
        Assert.Equal(7, written.Status.Measurement.Rounds); // What the source's agent wrote stays.
        Assert.Equal(migration.Metadata.Uid, written.Metadata.Uid);
        await TestCluster.UntilAsync(() => Task.FromResult(observer.Watcher.Open), open => open == 0);
    }

    [Fact]
    public async Task A_failed_move_has_no_downtime_but_says_whether_the_guest_answers()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var observer = new TestObserver(cluster);
        await observer.ScheduleAsync("move-1");
        await TestCluster.UntilAsync(() => Task.FromResult(observer.Watcher.Watched.Count), count => count == 1);

        await observer.SetPhaseAsync("move-1", MigrationPhases.Failed);

        var written = await observer.UntilMeasuredAsync("move-1");
        Assert.Null(written.Status.Measurement!.NetworkDowntimeMs);
        Assert.True(written.Status.Measurement.Reachable);
    }

    [Fact]
    public async Task A_deleted_move_is_watched_no_longer()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var observer = new TestObserver(cluster);
        await observer.ScheduleAsync("move-1");
        await TestCluster.UntilAsync(() => Task.FromResult(observer.Watcher.Open), open => open == 1);

        await cluster.Admin.For<VirtualMachineInstanceMigration>().DeleteAsync(new ResourceKey("default", "move-1"), new DeleteOptions(), TestCluster.Stopping);

        await TestCluster.UntilAsync(() => Task.FromResult(observer.Watcher.Open), open => open == 0);
    }

    [Fact]
    public void A_silence_that_the_prober_may_have_caused_itself_yields_to_one_that_it_cannot()
    {
        var report = Report(new Silence(default, 200, 0, 190), new Silence(default, 60, 11, 2));

        Assert.Equal(60, MigrationObserver.DowntimeMs(report));
    }

    private static ProbeReport Report(params Silence[] silences) => new()
    {
        Method = ProbeMethod.Icmp,
        IntervalMs = 5,
        ProbesSent = 1000,
        RepliesReceived = 990,
        IsReachable = true,
        SteadyReplies = 100,
        RoundTripMs = 0.3,
        LongestSilence = silences[0],
        Silences = silences,
    };

    private sealed class TestObserver : IAsyncDisposable
    {
        private readonly TestCluster cluster;
        private readonly ResourceClient<VirtualMachineInstanceMigration> migrations;
        private readonly CancellationTokenSource stopping = new();
        private readonly Task running;

        public TestObserver(TestCluster cluster)
        {
            this.cluster = cluster;
            migrations = cluster.Admin.For<VirtualMachineInstanceMigration>();
            var caches = new ObserverCaches(
                new ResourceCache<VirtualMachineInstanceMigration>(migrations, ListOptions.All, TimeProvider.System, NullLogger.Instance),
                new ResourceCache<VirtualMachineInstance>(cluster.Admin.For<VirtualMachineInstance>(), ListOptions.All, TimeProvider.System, NullLogger.Instance));
            var observer = new MigrationObserver(Watcher, migrations, caches, TimeProvider.System, NullLogger.Instance);
            running = Task.WhenAll(caches.Migrations.RunAsync(stopping.Token), caches.Guests.RunAsync(stopping.Token), observer.RunAsync(stopping.Token));
        }

        public FakeWatcher Watcher { get; } = new();

        public async Task<VirtualMachineInstanceMigration> ScheduleAsync(string name)
        {
            var guests = cluster.Admin.For<VirtualMachineInstance>();
            var guest = await guests.CreateAsync(
                new VirtualMachineInstance
                {
                    Metadata = new ObjectMeta { Namespace = "default", Name = "tiny" },
                    Spec = new VirtualMachineInstanceSpec { Domain = new DomainSpec { Memory = new Memory { Guest = Base.Quantity.Parse("64Mi") } } },
                },
                TestCluster.Stopping);
            await guests.ChangeStatusAsync(
                guest, guest with { Status = new() { Phase = "Running", NodeName = "node-1", Interfaces = [new InterfaceStatus { Name = "default", Mac = "02:00:00:00:00:07", IpAddress = "10.77.0.7" }] } }, TestCluster.Stopping);
            var made = await migrations.CreateAsync(
                new VirtualMachineInstanceMigration { Metadata = new ObjectMeta { Namespace = "default", Name = name }, Spec = new() { VmiName = "tiny" } }, TestCluster.Stopping);
            var scheduled = new VirtualMachineInstanceMigrationStatus
            {
                Phase = MigrationPhases.Scheduled,
                MigrationState = new MigrationState { SourceNode = "node-1", TargetNode = "node-2" },
                Measurement = new MigrationMeasurement { Rounds = 7 },
            };
            return await migrations.ChangeStatusAsync(made, made with { Status = scheduled }, TestCluster.Stopping);
        }

        public async Task SetPhaseAsync(string name, string phase)
        {
            var found = await migrations.GetAsync(new ResourceKey("default", name), TestCluster.Stopping);
            await migrations.ChangeStatusAsync(found, found with { Status = found.Status with { Phase = phase } }, TestCluster.Stopping);
        }

        public Task<VirtualMachineInstanceMigration> UntilMeasuredAsync(string name) => TestCluster.UntilAsync(
            () => migrations.GetAsync(new ResourceKey("default", name), TestCluster.Stopping), found => found.Status.Measurement?.Reachable is not null);

        public async ValueTask DisposeAsync()
        {
            await stopping.CancelAsync();
            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stopping.Dispose();
        }
    }

    private sealed class FakeWatcher : IGuestWatcher
    {
        private int open;

        public ConcurrentBag<IPAddress> Watched { get; } = [];

        public int Open => Volatile.Read(ref open);

        public IGuestWatch Watch(IPAddress guest)
        {
            Interlocked.Increment(ref open);
            Watched.Add(guest);
            return new FakeWatch(this);
        }

        private sealed class FakeWatch(FakeWatcher owner) : IGuestWatch
        {
            public ProbeReport Report() => MigrationObserverTests.Report(new Silence(default, 41.2, 8, 1));

            public ValueTask DisposeAsync()
            {
                Interlocked.Decrement(ref owner.open);
                return ValueTask.CompletedTask;
            }
        }
    }
}
