using System.Threading.Channels;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Machines;
using Godwit.Migration.Convergence;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;
using Godwit.Node.Peers;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Migrations;

/// <summary>Who moves what to whom: fixed while the move runs.</summary>
internal sealed record OutgoingRoute(MachineId Machine, PeerEndpoint Target, MovePreparation Preparation);

/// <summary>
/// The source's driver: feeds the engine with what it sees and hears, and carries out what it decides. All inputs go
/// through one queue to one loop, which alone holds the engine; effects run beside it and answer with inputs.
/// <code>
///  orders' replies, reports ─┐                         ┌─▶ journal (durable, then "persisted")
///  QEMU: events and looks ───┼─▶ inputs ─▶ engine ─────┼─▶ orders to the target (each repeated by the engine)
///  clock, cancel ────────────┘                         └─▶ effects on QEMU, in order ─▶ look
/// </code>
/// </summary>
internal sealed partial class OutgoingMove : IAsyncDisposable
{
    private const int InputsMax = 1024;

    private static readonly TimeSpan OrderBound = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan CancelBound = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ForgetPause = TimeSpan.FromSeconds(1);

    /// <summary>How long an agent that is asked to end stays for a guest that it can still take back.</summary>
    private static readonly TimeSpan LeaveBound = TimeSpan.FromSeconds(5);

    /// <summary>A look is bounded by 2 s and repeated within 200 ms: who was away for longer than both did not watch.</summary>
    private static readonly TimeSpan SleptMin = TimeSpan.FromSeconds(3);

    private readonly MoveParts parts;
    private readonly OutgoingRoute route;
    private readonly Channel<SourceInput> inputs = Channel.CreateBounded<SourceInput>(InputsMax);
    private readonly MachineEffects<SourceEffect.Machine> effects;
    private readonly Signal lookWanted;
    private readonly MoveHold? hold;
    private readonly FramesOfMove frames;
    private volatile SourceEngine engine;
    private volatile MoveReport? lastReport;
    private volatile MoveReport? openReport;
    private volatile bool opensEarly;
    private Task lastWrite = Task.CompletedTask;
    private string? shownHeldAt;
    private OutgoingStream? stream;
    private long earlierStreamBytes;

    private OutgoingMove(MoveParts parts, OutgoingRoute route, SourceStep first, MoveHold? hold)
    {
        this.parts = parts;
        this.route = route;
        this.hold = hold;
        frames = new(parts, route);
        lookWanted = new(parts.Time);
        engine = first.Engine;
        First = first;
        effects = new(CarryOutAsync, parts.Logger) { Done = DoneAsync };
    }

    public SourcePhase Phase => engine.Phase;

    public OutgoingRoute Route => route;

    /// <summary>Bytes that went over the wire, all attempts together; of a direct stream as QEMU counts them, before TLS.</summary>
    public long WireBytes => route.Preparation.Stream.Direct
        ? engine.Phase.Move.Trace.TransferredBytes
        : Volatile.Read(ref earlierStreamBytes) + (stream?.Counters.ToPeerBytes ?? 0);

    /// <summary>One of <c>MoveHoldPoints</c> while either end holds the move there on purpose.</summary>
    public string? HeldAt => hold?.At ?? lastReport?.HeldAt;

    /// <summary>Called after each step that changed something, on the loop: it must only note it.</summary>
    public required Action<SourcePhase> Changed { get; init; }

    private SourceStep First { get; }

    public static OutgoingMove Begin(MoveParts parts, OutgoingRoute route, MigrationPlan plan, Action<SourcePhase> changed) =>
        new(parts, route, SourceEngine.Begin(plan, parts.Time.GetUtcNow()), new(parts, plan.Id, route.Preparation)) { Changed = changed };

    /// <summary>After the agent's restart; <paramref name="reading"/> was taken on a session of this life.</summary>
    public static OutgoingMove Recover(MoveParts parts, OutgoingRoute route, MoveRecord record, QemuReading reading, Action<SourcePhase> changed)
    {
        var preparation = record.Preparation;
        var plan = MigrationPlan.Resumed(
            record.MoveId, new(record.Source), new(record.Target), new(), preparation.Stream.Postcopy, preparation.Service is not null, preparation.Stream.BandwidthBytesPerSecond);
        var (rest, seen) = Found(record, reading);
        return new(parts, route, SourceEngine.Recover(plan, record.Outgoing!.Value, seen, parts.Time.GetUtcNow()), hold: null) { Changed = changed, rest = rest };
    }

    public void Cancel(string reason) => Offer(new SourceInput.CancelRequested(reason));

    public void DeclareTargetDead(string reason) => Offer(new SourceInput.TargetDeclaredDead(reason));

    /// <summary>What the forecast knows of the guest's writes.</summary>
    public void Expect(DirtyCurve dirty) => Offer(new SourceInput.Forecasted(dirty));

    /// <summary>The link is free: the stream may begin as soon as the target's agent takes it in.</summary>
    /// <param name="firstPassBytes">About as much of the guest's memory is not zero.</param>
    public void OpenEarly(double firstPassBytes)
    {
        Offer(new SourceInput.FirstPassExpected(firstPassBytes));
        opensEarly = true;
        if (openReport is { } report)
        {
            Hear(report);
        }
    }

    /// <summary>The target's own word, or its answer to an order.</summary>
    public void Hear(MoveReport report)
    {
        lastReport = report;
        if (report.StreamToken is not null || report.Door is not null)
        {
            openReport = report; // An older report without it may be read later.
        }

        // Whoever wants to look at a target that is prepared wants to find its QEMU there.
        var early = report.StreamToken is not null && opensEarly && hold?.Wants(MoveHoldPoints.Prepared) != true;
        Offer(new SourceInput.Reported(report.ToReport() with { TakesStream = early }));
    }

    /// <summary>
    /// Runs until the move has ended or the agent stops; then the next agent goes on from the journal. The stream ends with
    /// the agent, so one that stops in good order turns back first what it can: else a guest at the barrier would stand
    /// still until the next agent comes.
    /// </summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var ended = new CancellationTokenSource();
        Task[] helpers = [effects.RunAsync(ended.Token), LookAsync(ended.Token), ListenAsync(ended.Token), HeedServiceAsync(ended.Token), frames.FindPortsAsync(ended.Token)];
        Take(First, ended.Token);
        try
        {
            while (!engine.Phase.IsEnd)
            {
                var input = await inputs.Reader.ReadAsync(stopping);
                var phase = engine.Phase;
                Take(engine.Step(input, parts.Time.GetUtcNow()), ended.Token);
                NoteBudget(input, phase);
            }

            await ForgetAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested && engine.Phase is SourcePhase.Streaming or { IsStreamVital: true })
        {
            await LeaveAsync(ended.Token);
            throw;
        }
        finally
        {
            await ended.CancelAsync();
            foreach (var helper in helpers)
            {
                await helper.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        hold?.Dispose();
        frames.Dispose();
        await CloseDiskStreamAsync();
        if (stream is { } open)
        {
            await open.DisposeAsync();
        }
    }

    /// <summary>What can be taken back is; what cannot is left only when the guest survives that its stream breaks.</summary>
    private async Task LeaveAsync(CancellationToken ended)
    {
        using var bound = new CancellationTokenSource(LeaveBound, parts.Time);
        Offer(new SourceInput.CancelRequested("the source's agent was stopped"));
        while (engine.Phase is SourcePhase.Streaming or SourcePhase.TurningBack or { IsStreamVital: true })
        {
            Take(engine.Step(await inputs.Reader.ReadAsync(bound.Token), parts.Time.GetUtcNow()), ended);
        }
    }

    private void Take(SourceStep step, CancellationToken stopping)
    {
        var before = engine.Phase;
        engine = step.Engine;
        frames.See(engine.Phase, stopping);
        foreach (var effect in step.Effects)
        {
            switch (effect)
            {
                case SourceEffect.Persist persist:
                    lastWrite = PersistAsync(lastWrite, persist.Record, stopping);
                    break;
                case SourceEffect.Send send:
                    _ = SendAsync(send.Order, stopping);
                    break;
                case SourceEffect.Machine machine:
                    effects.Add(machine);
                    if (machine is SourceEffect.CancelStream)
                    {
                        effects.Interrupt(_ => true); // What hangs in a dead stream must not stand before its end.
                    }

                    break;
            }
        }

        var heldAt = HeldAt;
        if (!ReferenceEquals(before, engine.Phase) || step.Effects.Count > 0 || heldAt != shownHeldAt)
        {
            shownHeldAt = heldAt;
            if (before.GetType() != engine.Phase.GetType())
            {
                Log.Entered(parts.Logger, engine.Phase.Plan.Id, engine.Phase.GetType().Name, engine.Phase.Describe());
            }

            Changed(engine.Phase);
        }
    }

    private void Offer(SourceInput input)
    {
        // Never full in practice: the loop does no waiting. An input that is dropped is seen again: looks and reports repeat.
        inputs.Writer.TryWrite(input);
    }

    /// <summary>One after the other: what is on disk at the end is what was to be written last.</summary>
    private async Task PersistAsync(Task before, SourceRecord record, CancellationToken stopping)
    {
        await before;
        try
        {
            if (record == SourceRecord.HandingOver)
            {
                await PrepareAsync(stopping);
            }

            await Task.Run(() => parts.Journal.Write(Record() with { Outgoing = record }), CancellationToken.None);
            await inputs.Writer.WriteAsync(new SourceInput.Persisted(record), CancellationToken.None);
        }
        catch (OperationCanceledException)
        {
            // Given up while it was held, before anything was written.
        }
        catch (Exception error)
        {
            await inputs.Writer.WriteAsync(new SourceInput.PersistFailed(record, ErrorChain.Describe(error)), CancellationToken.None);
        }
    }

    private async Task SendAsync(Order order, CancellationToken stopping)
    {
        try
        {
            if (order is Order.Run)
            {
                await PassAsync(MoveHoldPoints.Arrived, stopping);
            }

            using var late = new CancellationTokenSource(OrderBound, parts.Time);
            using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
            var request = MoveOrder.From(engine.Phase.Plan.Id, route.Machine.Value, order, route.Preparation);
            Hear(await parts.Links.RequestAsync(route.Target, MoveMethods.Order, request, bound.Token));
        }
        catch (PeerRefusedException error) when (order is Order.Prepare)
        {
            Hear(new() { Move = engine.Phase.Plan.Id.Value, Standing = TargetStanding.Refused, Reason = error.Message });
        }
        catch (Exception error) when (error is PeerException or PeerRefusedException or OperationCanceledException)
        {
            // Nothing follows from it: the engine asks again.
            Log.NotAnswered(parts.Logger, engine.Phase.Plan.Id, order.GetType().Name, route.Target.Node, ErrorChain.Describe(error));
        }
    }

    private Task PassAsync(string point, CancellationToken stopping) => hold?.PassAsync(point, stopping) ?? Task.CompletedTask;

    private async ValueTask DoneAsync(SourceEffect.Machine effect, string? refusal)
    {
        if (refusal is not null)
        {
            await inputs.Writer.WriteAsync(new SourceInput.MachineFailed(effect, refusal));
        }

        lookWanted.Set();
    }

    /// <summary>Looks whenever something may have changed, and at least as often as the phase needs.</summary>
    private async Task LookAsync(CancellationToken stopping)
    {
        var lookedAt = parts.Time.GetUtcNow();
        while (!stopping.IsCancellationRequested)
        {
            var now = parts.Time.GetUtcNow();
            if (now - lookedAt > SleptMin)
            {
                Log.Slept(parts.Logger, engine.Phase.Plan.Id, (now - lookedAt).TotalSeconds);
                Offer(new SourceInput.Slept(now - lookedAt));
            }

            lookedAt = now;
            Offer(new SourceInput.StreamMoved(WireBytes + DiskBytes));
            if (effects.SettledCount is { } settled)
            {
                if (await TakeLookAsync(settled, stopping) is { } reading)
                {
                    Offer(new SourceInput.Observed(reading));
                }

                await LookAtDisksAsync(settled, stopping);
                OfferBudget();
            }

            Offer(new SourceInput.Tick());
            await lookWanted.WaitAsync(LookInterval(engine.Phase), stopping);
        }
    }

    /// <summary>QEMU's events tell the ends of rounds and each change of its status; a look between them costs processors that the stream needs.</summary>
    private static TimeSpan LookInterval(SourcePhase phase) => phase switch
    {
        SourcePhase.SwitchingOver or SourcePhase.FinishingDisks or SourcePhase.EndingRounds or SourcePhase.Activating or SourcePhase.TurningBack => TimeSpan.FromMilliseconds(10),
        SourcePhase.Mirroring => TimeSpan.FromMilliseconds(50),
        SourcePhase.Opening or SourcePhase.Precopying or SourcePhase.Gathering => TimeSpan.FromMilliseconds(100),
        SourcePhase.Postcopying or SourcePhase.Completing or SourcePhase.Reclaiming => TimeSpan.FromMilliseconds(25),
        _ => TimeSpan.FromMilliseconds(200),
    };

    private Task HeedServiceAsync(CancellationToken stopping) =>
        route.Preparation.Service is { } service ? new ServiceWatch(parts, service, Offer).RunAsync(stopping) : Task.CompletedTask;

    /// <summary>The guest that was handed over is remembered as such; else nothing of the move remains.</summary>
    private async Task ForgetAsync(CancellationToken stopping)
    {
        await CloseStreamAsync();
        await CloseDiskStreamAsync();
        hold?.Dispose();
        await lastWrite;
        while (true)
        {
            try
            {
                if (engine.Phase is SourcePhase.Completed)
                {
                    ForgetFile();
                    parts.Journal.Write(Record() with { HandedOver = true });
                }
                else
                {
                    parts.Journal.Delete(engine.Phase.Plan.Id);
                }

                return;
            }
            catch (Exception error) when (error is Linux.LinuxException or IOException)
            {
                Log.NotForgotten(parts.Logger, engine.Phase.Plan.Id, ErrorChain.Describe(error));
                await Task.Delay(ForgetPause, parts.Time, stopping);
            }
        }
    }

    private MoveRecord Record() => new()
    {
        Move = engine.Phase.Plan.Id.Value,
        Machine = route.Machine.Value,
        Source = engine.Phase.Plan.Source.Value,
        Target = engine.Phase.Plan.Target.Value,
        TargetAddress = route.Target.AddressText,
        Preparation = route.Preparation,
    };

    private static partial class Log
    {
        [LoggerMessage(EventId = 2311, Level = LogLevel.Information, Message = "Move {Move}: {Phase}: {Story}")]
        public static partial void Entered(ILogger logger, MoveId move, string phase, string story);

        [LoggerMessage(EventId = 2312, Level = LogLevel.Warning, Message = "Move {Move}: {Order} to {Node} has no answer, it will be asked again: {Reason}")]
        public static partial void NotAnswered(ILogger logger, MoveId move, string order, NodeName node, string reason);

        [LoggerMessage(EventId = 2314, Level = LogLevel.Warning, Message = "Move {Move}: this agent, or its whole host, stood still for {Seconds} s; its watchdogs do not count them")]
        public static partial void Slept(ILogger logger, MoveId move, double seconds);

        [LoggerMessage(EventId = 2313, Level = LogLevel.Error, Message = "Move {Move} is over, but its record could not be changed; trying again: {Reason}")]
        public static partial void NotForgotten(ILogger logger, MoveId move, string reason);
    }
}
