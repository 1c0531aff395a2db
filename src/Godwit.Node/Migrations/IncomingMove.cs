using System.Net;
using System.Threading.Channels;
using Godwit.Api;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Migration.Protocol;
using Godwit.Node.Guests;
using Godwit.Node.Peers;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Migrations;

/// <summary>
/// The target's driver: one loop holds the engine, as at the source. It never talks to the source by itself but to
/// report a new standing over the connection on which the source last spoke.
/// </summary>
internal sealed partial class IncomingMove : IDisposable
{
    /// <summary>A QEMU that needs longer than this for what came before it listened is on a host with no time for it: the source may as well know that it listens.</summary>
    private static readonly TimeSpan CatchUpBound = TimeSpan.FromSeconds(30);

    private const int InputsMax = 1024;

    private readonly MoveParts parts;
    private readonly MoveRecord route;
    private readonly Channel<TargetInput> inputs = Channel.CreateBounded<TargetInput>(InputsMax);
    private readonly MachineEffects<TargetEffect.Machine> effects;
    private readonly Signal lookWanted;
    private readonly TargetStep first;
    private readonly MoveHold? hold;
    private volatile TargetEngine engine;
    private volatile PeerConnection? source;
    private volatile Listening? listening;
    private volatile IncomingStream? diskStream;
    private IReadOnlyList<GuestPort> ports = [];
    private Task lastWrite = Task.CompletedTask;
    private CancellationToken running;

    private IncomingMove(MoveParts parts, MoveRecord route, TargetStep first, MoveHold? hold)
    {
        this.hold = hold;
        this.parts = parts;
        this.route = route;
        this.first = first;
        lookWanted = new(parts.Time);
        engine = first.Engine;
        effects = new(CarryOutAsync, parts.Logger) { Done = DoneAsync };
    }

    public MoveRecord Route => route;

    public TargetPhase Phase => engine.Phase;

    /// <summary>The first order of a move; null when nothing begins by it.</summary>
    public static IncomingMove? Open(MoveParts parts, MoveRecord route, Order order) =>
        TargetEngine.Open(order) is { } step ? new(parts, route, step, new(parts, route.MoveId, route.Preparation)) : null;

    public static IncomingMove Recover(MoveParts parts, MoveRecord route, QemuReading? reading) =>
        new(parts, route, TargetEngine.Recover(route.Incoming!.Value, reading), hold: null);

    /// <summary>Takes an order in; the answer is how things stand, which may be how they stood before it.</summary>
    public MoveReport Receive(Order order, PeerConnection from)
    {
        source = from;
        inputs.Writer.TryWrite(new TargetInput.Ordered(order)); // One that is dropped is repeated by the source.
        return Report(engine.Phase.Report);
    }

    public void DeclareSourceDead(string reason) => inputs.Writer.TryWrite(new TargetInput.SourceDeclaredDead(reason));

    /// <summary>Runs until nothing can follow any more, or the agent stops.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        Task[] helpers = [effects.RunAsync(ended.Token), LookAsync(ended.Token), ListenAsync(ended.Token), TickAsync(ended.Token)];
        running = ended.Token;
        Take(first, stopping);
        try
        {
            while (!engine.Phase.IsEnd)
            {
                var input = await inputs.Reader.ReadAsync(stopping);
                Take(engine.Step(input, parts.Time.GetUtcNow()), stopping);
            }
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

    public void Dispose()
    {
        hold?.Dispose();
        listening?.Stream?.Dispose();
        diskStream?.Dispose();
    }

    public MoveReport Report(Report report) => new()
    {
        Move = route.Move,
        Standing = report.Standing,
        ListeningAttempt = report.ListeningAttempt,
        Reason = report.Reason,
        HeldAt = hold?.At,
        StreamToken = ListeningFor(report.ListeningAttempt)?.Stream?.Token,
        Door = ListeningFor(report.ListeningAttempt)?.Door,
        DiskToken = diskStream?.Token,
    };

    private void Take(TargetStep step, CancellationToken stopping)
    {
        var before = engine.Phase.GetType();
        engine = step.Engine;
        foreach (var effect in step.Effects)
        {
            switch (effect)
            {
                case TargetEffect.Persist persist:
                    lastWrite = PersistAsync(lastWrite, persist.Record);
                    break;
                case TargetEffect.Send send:
                    _ = TellAsync(Report(send.Report), stopping);
                    break;
                case TargetEffect.Machine machine:
                    effects.Add(machine);
                    if (machine is TargetEffect.CutStream)
                    {
                        effects.Interrupt(current => current is TargetEffect.RunGuest); // Its answer may wait for a page of the broken stream.
                    }

                    break;
            }
        }

        if (before != engine.Phase.GetType())
        {
            Log.Entered(parts.Logger, route.MoveId, engine.Phase.GetType().Name, engine.Phase.Describe());
        }
    }

    /// <summary>One after the other: a refusal must not be overtaken by the grant, or the arrival, that it replaces.</summary>
    private async Task PersistAsync(Task before, TargetRecord record)
    {
        await before;
        try
        {
            await Task.Run(() => parts.Journal.Write(route with { Incoming = record, Reason = engine.Phase.Describe() }));
            await inputs.Writer.WriteAsync(new TargetInput.Persisted(record));
        }
        catch (Exception error)
        {
            await inputs.Writer.WriteAsync(new TargetInput.PersistFailed(record, ErrorChain.Describe(error)));
        }
    }

    private async Task TellAsync(MoveReport report, CancellationToken stopping)
    {
        try
        {
            await (source?.NotifyAsync(MoveMethods.Report, report, MoveJson.Default.MoveReport, stopping) ?? Task.CompletedTask);
        }
        catch (Exception error) when (error is PeerException or OperationCanceledException)
        {
            // The source asks when it does not hear.
        }
    }

    private async Task CarryOutAsync(TargetEffect.Machine effect, CancellationToken stopping)
    {
        switch (effect)
        {
            case TargetEffect.StartMachine:
                using (parts.Room.Take(route.MachineId, GuestMemory.BytesOf(await FindGuestAsync(stopping))))
                {
                    await StartMachineAsync(stopping);
                }

                break;
            case TargetEffect.RunGuest:
                await RunGuestAsync(stopping);
                break;
            case TargetEffect.CutStream:
                await Machine().Migration.CutStreamAsync(stopping);
                break;
            case TargetEffect.ListenAgain again:
                var machine = Machine();
                await machine.Migration.RecoverAsync(Listen(machine, again.Attempt, keys: null), outgoing: false, stopping);
                break;
            case TargetEffect.Fence:
                listening?.Stream?.Dispose();
                listening = null;
                diskStream?.Dispose();
                await parts.Builder.DemolishAsync(route.MachineId, stopping);
                break;
        }
    }

    private async Task StartMachineAsync(CancellationToken stopping)
    {
        await TakeStreamAsync(stopping);
        var built = await parts.Builder.BuildAsync(await FindGuestAsync(stopping), MachineStart.Incoming, stopping, route.Preparation.Disks);
        ports = built.Ports;
        await ExportDisksAsync(built.Machine, stopping);
        await built.Machine.Migration.ConfigureAsync(StreamConfiguration.For(route.Preparation.Stream), stopping);
        DirectKeys? theirs = null;
        if (route.Preparation.Stream.Direct)
        {
            (var own, theirs) = DirectKeyMaker.Make(route.MoveId, parts.Time);
            await built.Machine.Migration.SecureAsync(own.ToCredentials(), listens: true, stopping);
        }

        if (listening?.Stream is { } taken)
        {
            await built.Machine.Migration.StartIncomingAsync(UriOf(built.Machine.Place, 0), stopping);
            taken.QemuListens();
        }
        else
        {
            await built.Machine.Migration.StartIncomingAsync(Listen(built.Machine, 0, theirs), stopping);
        }

        _ = ListenAsync(running);
        if (listening?.Stream is { } early)
        {
            // Not before: the source would stop the guest for as long as QEMU needs for all that is kept for it.
            await Task.WhenAny(early.CaughtUp, Task.Delay(CatchUpBound, parts.Time, stopping));
        }
    }

    /// <summary>The source writes the guest's disks here, until the guest is about to run.</summary>
    private async Task ExportDisksAsync(IMachine machine, CancellationToken stopping)
    {
        if (route.Preparation.Disks.Count > 0)
        {
            var path = machine.Place.MigrationSocket("disks");
            await machine.DiskCopies.ExportAsync(path, [.. route.Preparation.Disks.Select(disk => disk.Index)], stopping);
            diskStream = parts.Incoming.Prepare(SourceNode(), path, route.Preparation.Disks.Count);
        }
    }

    /// <summary>The port first: the guest's first words after its arrival must not be lost. Then the segment learns where it is.</summary>
    private async Task RunGuestAsync(CancellationToken stopping)
    {
        var machine = Machine();
        if (ports.Count == 0)
        {
            ports = await parts.Builder.PortsOfAsync(await FindGuestAsync(stopping), stopping); // After a restart.
        }

        if (hold is not null)
        {
            await hold.PassAsync(MoveHoldPoints.Granted, stopping);
        }

        if (route.Preparation.Disks.Count > 0)
        {
            // Nobody may write the guest's disks beside it. The source finished them before it let the guest's state go.
            diskStream?.Dispose();
            await machine.DiskCopies.CloseAsync(stopping);
        }

        await Task.WhenAll(ports.Select(port => parts.Network.AdmitAsync(port, stopping)));
        await machine.ResumeAsync(stopping);
        foreach (var port in ports)
        {
            parts.Network.Announce(port);
        }

        _ = AnnounceAsync(machine, running); // Not waited for: in post-copy QEMU may answer it only when it has the pages.
    }

    /// <summary>Nothing that fails after the guest was told to run may look as if it had not been.</summary>
    private async Task AnnounceAsync(IMachine machine, CancellationToken stopping)
    {
        try
        {
            await machine.Migration.AnnounceAsync(stopping);
        }
        catch (Exception error) when (error is MachineException or OperationCanceledException)
        {
            Log.NotAnnounced(parts.Logger, route.MoveId, ErrorChain.Describe(error));
        }
    }

    private async ValueTask DoneAsync(TargetEffect.Machine effect, string? refusal)
    {
        if (refusal is not null)
        {
            await inputs.Writer.WriteAsync(new TargetInput.MachineFailed(effect, refusal));
        }
        else if (effect is TargetEffect.ListenAgain again)
        {
            await inputs.Writer.WriteAsync(new TargetInput.Listening(again.Attempt));
        }

        lookWanted.Set();
    }

    private IMachine Machine() =>
        parts.Machines.Find(route.MachineId) ?? throw new MachineException($"There is no machine {route.MachineId} on this host any more.");

    private async Task<VirtualMachineInstance> FindGuestAsync(CancellationToken stopping)
    {
        var key = new ResourceKey(route.Preparation.GuestNamespace, route.Preparation.GuestName);
        var guest = parts.Guests.Current.Find(key) ?? await parts.Cluster.For<VirtualMachineInstance>().FindAsync(key, stopping);
        return guest is not null && guest.Metadata.Uid == route.MachineId.ToString()
            ? guest
            : throw new MachineException($"The server has no guest {key} with the identity {route.MachineId}.");
    }

    private async Task LookAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            if (effects.SettledCount is { } settled
                && engine.Phase is not TargetPhase.Recording
                && await MachineLook.TakeTargetAsync(parts.Machines.Find(route.MachineId), settled, stopping) is { } reading)
            {
                inputs.Writer.TryWrite(new TargetInput.Observed(reading));
            }

            await lookWanted.WaitAsync(LookInterval(engine.Phase), stopping);
        }
    }

    private static TimeSpan LookInterval(TargetPhase phase) => phase switch
    {
        TargetPhase.Starting or TargetPhase.Preparing => TimeSpan.FromMilliseconds(10),
        TargetPhase.Waiting => TimeSpan.FromMilliseconds(100), // QEMU's events tell of the arrival.
        TargetPhase.Running => TimeSpan.FromMilliseconds(20),
        _ => TimeSpan.FromMilliseconds(200),
    };

    private async Task TickAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), parts.Time, stopping);
            inputs.Writer.TryWrite(new TargetInput.Tick());
        }
    }

    private async Task ListenAsync(CancellationToken stopping)
    {
        await Task.Yield();
        if (parts.Machines.Find(route.MachineId) is { } machine)
        {
            await foreach (var _ in machine.ReadEventsAsync(stopping))
            {
                lookWanted.Set();
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2321, Level = LogLevel.Information, Message = "Arrival {Move}: {Phase}: {Story}")]
        public static partial void Entered(ILogger logger, MoveId move, string phase, string story);

        [LoggerMessage(EventId = 2322, Level = LogLevel.Warning, Message = "Arrival {Move}: QEMU did not announce the guest; the agent's own announcement stands: {Reason}")]
        public static partial void NotAnnounced(ILogger logger, MoveId move, string reason);
    }
}
