using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;

namespace Godwit.Real.Tests.Labs;

/// <summary>Who is hurt.</summary>
public enum Victim
{
    SourceAgent,
    TargetAgent,
    BothAgents,
    Server,
    SourceQemu,
    TargetQemu,

    /// <summary>The move itself: its object is deleted.</summary>
    Move,

    /// <summary>In good order, as for an upgrade.</summary>
    SourceAgentStopped,

    /// <inheritdoc cref="SourceAgentStopped"/>
    TargetAgentStopped,
}

/// <summary>A move that something is going to happen to: it is held, or found, at a point by what the agents log.</summary>
internal sealed class TroubledMove
{
    /// <summary>More than any link of a lab carries.</summary>
    private const string Unbounded = "1000M";

    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);
    private static int lastNumber;
    private readonly GodwitLab lab;
    private readonly ResourceKey key;
    private readonly string id;

    private TroubledMove(GodwitLab lab, VirtualMachineInstanceMigration created, string source, string target)
    {
        this.lab = lab;
        key = ResourceKey.Of(created);
        id = created.Metadata.Uid;
        (Source, Target) = (source, target);
    }

    public string Name => key.Name;

    public string Source { get; }

    public string Target { get; }

    public static async Task<TroubledMove> StartAsync(GodwitLab lab, TinyGuest guest, string mode, string? holdAt = null, string? bandwidth = null)
    {
        var (source, target) = (await guest.NodeAsync(), await guest.OtherNodeAsync());
        var annotations = new Dictionary<string, string> { [AnnotationNames.Mode] = mode };
        if (holdAt is not null)
        {
            annotations[AnnotationNames.HoldAt] = holdAt;
        }

        if (bandwidth is not null)
        {
            annotations[AnnotationNames.Bandwidth] = bandwidth;
        }

        var created = await lab.Cluster.For<VirtualMachineInstanceMigration>().CreateAsync(
            new()
            {
                Metadata = new() { Namespace = "default", Name = $"{guest.Name}-{Interlocked.Increment(ref lastNumber)}", Annotations = annotations },
                Spec = new() { VmiName = guest.Name },
            },
            TestContext.Current.CancellationToken);
        return new(lab, created, source, target);
    }

    /// <summary>By the logs of the agents: they say it at once, and to nobody but the disk.</summary>
    public Task IsHeldAtAsync(string point) => SaysAsync(point == MoveHoldPoints.Granted ? Target : Source, $"Move {id} is held at {point}");

    /// <summary>The source's agent has entered a phase of its engine.</summary>
    public Task SourceEntersAsync(string phase) => SaysAsync(Source, $"Move {id}: {phase}:");

    /// <summary>Memory flows: the source's agent has told so.</summary>
    public Task HasSentAsync(long bytes) => Eventually.IsTrueAsync($"the move {key} has sent {bytes} bytes", Bound, async () =>
        (await FindAsync())?.Status.Progress?.TransferredBytes >= bytes);

    public async Task<long> SentBytesAsync() => (await FindAsync())?.Status.Progress?.TransferredBytes ?? 0;

    public Task TargetEntersAsync(string phase) => SaysAsync(Target, $"Arrival {id}: {phase}:");

    /// <summary>An order of the source's had no answer in its time, and is going to be repeated.</summary>
    public Task HasNoAnswerAsync(string order) => SaysAsync(Source, $"Move {id}: {order} to {Target} has no answer");

    /// <summary>Takes the hold away; a move that is gone needs none.</summary>
    public Task ReleaseAsync() => ChangeAsync("the hold is taken away", annotations => annotations.Remove(AnnotationNames.HoldAt));

    /// <summary>From now on the move may take all of its link.</summary>
    public Task UnboundAsync() => ChangeAsync("its bandwidth is not bounded any more", annotations =>
    {
        var isBound = annotations.GetValueOrDefault(AnnotationNames.Bandwidth) != Unbounded;
        annotations[AnnotationNames.Bandwidth] = Unbounded;
        return isBound;
    });

    public Task CancelAsync() =>
        lab.Cluster.For<VirtualMachineInstanceMigration>().DeleteAsync(key, new DeleteOptions(), TestContext.Current.CancellationToken);

    public async Task HurtAsync(Victim victim)
    {
        switch (victim)
        {
            case Victim.SourceAgent:
                await GodwitLab.KillAsync(lab.AgentProcessId(Source));
                break;
            case Victim.TargetAgent:
                await GodwitLab.KillAsync(lab.AgentProcessId(Target));
                break;
            case Victim.BothAgents:
                await Task.WhenAll(GodwitLab.KillAsync(lab.AgentProcessId(Source)), GodwitLab.KillAsync(lab.AgentProcessId(Target)));
                break;
            case Victim.Server:
                await GodwitLab.KillAsync(lab.ServerProcessId());
                break;
            case Victim.Move:
                await CancelAsync();
                break;
            case Victim.SourceAgentStopped:
                await GodwitLab.StopAsync(lab.AgentProcessId(Source));
                break;
            case Victim.TargetAgentStopped:
                await GodwitLab.StopAsync(lab.AgentProcessId(Target));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(victim), victim, "It takes a guest to kill its QEMU.");
        }
    }

    /// <param name="sourceQemu">The guest's only process before the move began.</param>
    public int ProcessOf(Frozen who, TinyGuest guest, int sourceQemu) => who switch
    {
        Frozen.SourceQemu => sourceQemu,
        Frozen.TargetQemu => Assert.Single(guest.ProcessIds(), processId => processId != sourceQemu),
        Frozen.SourceAgent => lab.AgentProcessId(Source),
        Frozen.TargetAgent => lab.AgentProcessId(Target),
        Frozen.Server => lab.ServerProcessId(),
        _ => throw new ArgumentOutOfRangeException(nameof(who), who, "No process."),
    };

    /// <summary>The status of the object when it has ended and both agents have let go of it; null when it was deleted.</summary>
    public async Task<VirtualMachineInstanceMigrationStatus?> EndsAsync()
    {
        VirtualMachineInstanceMigration? last = null;
        await Eventually.IsTrueAsync($"the move {key} is over and let go of", Bound, async () =>
        {
            last = await FindAsync();
            return last is null || (MigrationPhases.IsFinal(last.Status.Phase) && !last.Metadata.Finalizers.Contains(FinalizerNames.Migration));
        });
        return last?.Status;
    }

    /// <summary>A condition of the move, waited for.</summary>
    public Task<Condition> HasConditionAsync(string type, string status, string reason) => Eventually.GetAsync($"the move {key} has the condition {type}={status} ({reason})", Bound, async () =>
        (await FindAsync())?.Status.Conditions.FirstOrDefault(condition => condition.Type == type && condition.Status == status && condition.Reason == reason));

    public async Task<IReadOnlyList<string>> EventReasonsAsync() =>
        [.. (await lab.Cluster.For<Event>().ListAsync(new ListOptions { Namespace = "default" }, TestContext.Current.CancellationToken)).Items
            .Where(entry => entry.InvolvedObject.Name == key.Name).Select(entry => entry.Reason ?? "")];

    public async Task<VirtualMachineInstanceMigration?> FindAsync() =>
        await lab.Cluster.For<VirtualMachineInstanceMigration>().FindAsync(key, TestContext.Current.CancellationToken);

    /// <param name="change">Changes the annotations; false: there is nothing to change.</param>
    private Task ChangeAsync(string what, Func<Dictionary<string, string>, bool> change) => Eventually.IsTrueAsync($"{what} of {key}", Bound, async () =>
    {
        if (await FindAsync() is not { } move)
        {
            return true;
        }

        var annotations = new Dictionary<string, string>(move.Metadata.Annotations, StringComparer.Ordinal);
        if (!change(annotations))
        {
            return true;
        }

        await lab.Cluster.For<VirtualMachineInstanceMigration>().ChangeAsync(move, move with { Metadata = move.Metadata with { Annotations = annotations } }, TestContext.Current.CancellationToken);
        return false;
    });

    private Task SaysAsync(string node, string words) => Eventually.IsTrueAsync(
        $"the agent of {node} says '{words}'", Bound, () => Task.FromResult(lab.LogOf(node).Contains(words, StringComparison.Ordinal)), TimeSpan.FromMilliseconds(20));
}
