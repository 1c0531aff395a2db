using Godwit.Api.Coordination.V1;
using Godwit.Api.Forecasts.V1Alpha1;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Controllers.Tests.Loops;

/// <summary>
/// A node without guests behind it: it obeys the contract of an agent (takes what is scheduled to it, drives moves from
/// it, lets go of what is deleted) and can be told to misbehave.
/// </summary>
internal sealed class FakeAgent : IAsyncDisposable
{
    private readonly CancellationTokenSource ending = new();
    private readonly ClusterClient client;
    private readonly ResourceCache<VirtualMachineInstance> instances;
    private readonly ResourceCache<VirtualMachineInstanceMigration> migrations;
    private readonly ResourceCache<Forecast> forecasts;
    private readonly WorkQueue<(Type Kind, ResourceKey Key)> queue = new(TimeProvider.System, new Backoff(TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(100)));
    private Task running = Task.CompletedTask;

    private FakeAgent(ClusterClient client, string name)
    {
        this.client = client;
        Name = name;
        instances = new ResourceCache<VirtualMachineInstance>(client.For<VirtualMachineInstance>(), ListOptions.All, TimeProvider.System, NullLogger.Instance);
        migrations = new ResourceCache<VirtualMachineInstanceMigration>(
            client.For<VirtualMachineInstanceMigration>(), ListOptions.All, TimeProvider.System, NullLogger.Instance);
        forecasts = new ResourceCache<Forecast>(client.For<Forecast>(), ListOptions.All, TimeProvider.System, NullLogger.Instance);
        instances.Subscribe(change => queue.Add((typeof(VirtualMachineInstance), change.Key)));
        migrations.Subscribe(change => queue.Add((typeof(VirtualMachineInstanceMigration), change.Key)));
        forecasts.Subscribe(change => queue.Add((typeof(Forecast), change.Key)));
    }

    public string Name { get; }

    /// <summary>True: moves from here are left as they are.</summary>
    public bool IgnoresMoves { get; set; }

    /// <summary>What it answers to forecasts about its guests; null: nothing, it leaves them as they are.</summary>
    public ForecastStatus? Answer { get; set; }

    /// <summary>So many moves from here fail before one succeeds.</summary>
    public int MovesThatFail { get; set; }

    /// <summary>True: guests here end as failed as soon as they have started.</summary>
    public bool GuestsCrash { get; set; }

    private static NodeCondition Ready => new() { Type = NodeConditionTypes.Ready, Status = ConditionStatuses.True, Reason = "AgentReady" };

    public static async Task<FakeAgent> StartAsync(ClusterClient client, string name, string memory, TimeProvider clock)
    {
        var agent = new FakeAgent(client, name);
        var node = await client.For<Node>().CreateAsync(
            new Node
            {
                Metadata = new ObjectMeta
                {
                    Name = name,
                    Labels = new Dictionary<string, string> { [LabelNames.Hostname] = name },
                    Annotations = new Dictionary<string, string>
                    {
                        [AnnotationNames.UnderlayAddress] = "10.0.0.1",
                        [AnnotationNames.PeerEndpoint] = $"{name}:10260",
                        [AnnotationNames.QemuVersion] = "10.0.2",
                        [AnnotationNames.VolumesFolder] = $"/data/{name}/volumes",
                    },
                },
            },
            TestCluster.Stopping);
        var resources = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse("4"), ["memory"] = Quantity.Parse(memory) };
        var status = new NodeStatus
        {
            Capacity = resources,
            Allocatable = resources,
            Conditions = [Ready],
        };
        await client.For<Node>().ChangeStatusAsync(node, node with { Status = status }, TestCluster.Stopping);
        await agent.BeatAsync(clock.GetUtcNow());
        agent.running = Task.WhenAll(agent.instances.RunAsync(agent.ending.Token), agent.migrations.RunAsync(agent.ending.Token), agent.forecasts.RunAsync(agent.ending.Token), agent.WorkAsync(agent.ending.Token));
        return agent;
    }

    /// <summary>Renews the node's Lease, and says again that the node is ready where somebody doubted it, as an agent's reports do.</summary>
    public async Task BeatAsync(DateTimeOffset now)
    {
        var leases = client.For<Lease>();
        var key = new ResourceKey(NamespaceNames.KubeNodeLease, Name);
        var spec = new LeaseSpec { HolderIdentity = Name, LeaseDurationSeconds = 40, RenewTime = now };
        if (await leases.FindAsync(key, TestCluster.Stopping) is { } lease)
        {
            await leases.ChangeAsync(lease, lease with { Spec = spec }, TestCluster.Stopping);
        }
        else
        {
            await leases.CreateAsync(new Lease { Metadata = new ObjectMeta { Namespace = key.Namespace, Name = Name }, Spec = spec }, TestCluster.Stopping);
        }

        if (await client.For<Node>().FindAsync(new ResourceKey("", Name), TestCluster.Stopping) is { } node && node.Status.Conditions.Any(condition => condition is { Type: NodeConditionTypes.Ready, Status: ConditionStatuses.Unknown }))
        {
            try
            {
                await client.For<Node>().ChangeStatusAsync(node, node with { Status = node.Status with { Conditions = [Ready] } }, TestCluster.Stopping);
            }
            catch (ApiException overtaken) when (overtaken.IsConflict)
            {
                // The next beat says it again.
            }
        }
    }

    /// <summary>Stops to work, as a host does that lost its power.</summary>
    public async Task DieAsync()
    {
        await ending.CancelAsync();
        await running;
    }

    public async ValueTask DisposeAsync()
    {
        await DieAsync();
        queue.Dispose();
        ending.Dispose();
    }

    private Task WorkAsync(CancellationToken stopping) =>
        new ReconcileLoop<(Type Kind, ResourceKey Key)>(
            Name,
            queue,
            async (key, token) =>
            {
                await (key.Kind == typeof(Forecast) ? ForecastAsync(key.Key, token) : key.Kind == typeof(VirtualMachineInstance) ? TendAsync(key.Key, token) : MoveAsync(key.Key, token));
                return NextLook.OnChange;
            },
            NullLogger.Instance).RunAsync(1, stopping);

    private async Task TendAsync(ResourceKey key, CancellationToken stopping)
    {
        var guests = client.For<VirtualMachineInstance>();
        if (instances.Current.Find(key) is not { } vmi || vmi.Status.NodeName != Name)
        {
            return;
        }

        if (vmi.Metadata.DeletionTimestamp is not null)
        {
            await guests.ChangeAsync(vmi, vmi with { Metadata = vmi.Metadata with { Finalizers = [] } }, stopping);
        }
        else if (vmi.Status.Phase == VirtualMachineInstancePhases.Scheduled)
        {
            await guests.ChangeStatusAsync(vmi, vmi with { Status = In(vmi.Status, VirtualMachineInstancePhases.Running) }, stopping);
        }
        else if (vmi.Status.Phase == VirtualMachineInstancePhases.Running && GuestsCrash)
        {
            await guests.ChangeStatusAsync(vmi, vmi with { Status = In(vmi.Status, VirtualMachineInstancePhases.Failed) }, stopping);
        }
    }

    private async Task ForecastAsync(ResourceKey key, CancellationToken stopping)
    {
        if (Answer is { } answer && forecasts.Current.Find(key) is { Status.Phase: ForecastPhases.Scheduled } asked && asked.Status.SourceNode == Name)
        {
            var answered = answer with { Phase = ForecastPhases.Completed, SourceNode = asked.Status.SourceNode, TargetNode = asked.Status.TargetNode };
            await client.For<Forecast>().ChangeStatusAsync(asked, asked with { Status = answered }, stopping);
        }
    }

    private async Task MoveAsync(ResourceKey key, CancellationToken stopping)
    {
        var moves = client.For<VirtualMachineInstanceMigration>();
        if (IgnoresMoves
            || migrations.Current.Find(key) is not { } move
            || move.Status.MigrationState is not { } state
            || state.SourceNode != Name)
        {
            return;
        }

        if (MigrationPhases.IsFinal(move.Status.Phase))
        {
            await moves.ChangeAsync(move, move with { Metadata = move.Metadata with { Finalizers = [] } }, stopping);
            return;
        }

        if (move.Metadata.DeletionTimestamp is not null)
        {
            var aborted = state with { Failed = true, Completed = true, AbortRequested = true, AbortStatus = "Succeeded", EndTimestamp = DateTimeOffset.UnixEpoch };
            await moves.ChangeStatusAsync(
                move, move with { Status = move.Status with { Phase = MigrationPhases.Failed, MigrationState = aborted } }, stopping);
            return;
        }

        if (move.Status.Phase == MigrationPhases.Scheduled)
        {
            await moves.ChangeStatusAsync(move, move with { Status = move.Status with { Phase = MigrationPhases.Running } }, stopping);
            return;
        }

        if (MovesThatFail > 0)
        {
            MovesThatFail--;
            var broken = state with { Failed = true, Completed = true, FailureReason = "the link broke", EndTimestamp = DateTimeOffset.UnixEpoch };
            await moves.ChangeStatusAsync(move, move with { Status = move.Status with { Phase = MigrationPhases.Failed, MigrationState = broken } }, stopping);
            return;
        }

        var vmi = await client.For<VirtualMachineInstance>().GetAsync(new ResourceKey(key.Namespace, move.Spec.VmiName), stopping);
        await client.For<VirtualMachineInstance>().ChangeStatusAsync(vmi, vmi with { Status = vmi.Status with { NodeName = state.TargetNode } }, stopping);
        var done = state with { Completed = true, EndTimestamp = DateTimeOffset.UnixEpoch };
        await moves.ChangeStatusAsync(
            move, move with { Status = move.Status with { Phase = MigrationPhases.Succeeded, MigrationState = done } }, stopping);
    }

    private static VirtualMachineInstanceStatus In(VirtualMachineInstanceStatus status, string phase) => status with
    {
        Phase = phase,
        PhaseTransitionTimestamps = [.. status.PhaseTransitionTimestamps, new PhaseTransition { Phase = phase, Timestamp = DateTimeOffset.UnixEpoch }],
        Conditions =
        [
            new Condition
            {
                Type = VirtualMachineInstanceConditions.Ready,
                Status = phase == VirtualMachineInstancePhases.Running ? ConditionStatuses.True : ConditionStatuses.False,
            },
        ],
    };
}
