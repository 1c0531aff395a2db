using Godwit.Base;
using Godwit.Client;
using Godwit.Linux;
using Godwit.Machines;
using Godwit.Migration.Protocol;
using Godwit.Node.Guests;
using Godwit.Node.Peers;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Migrations;

/// <summary>
/// Follows a move's phases with what is sent to its guest: kept from the stream's beginning on, picked from the moment at which QEMU stopped the guest, handed to
/// the target's agent when that says that the guest runs. A move that turns back, or an agent that was restarted, hands over nothing: then it is as if frames were lost.
/// </summary>
internal sealed partial class FramesOfMove(MoveParts parts, OutgoingRoute route) : IDisposable
{
    /// <summary>Frames that go in one message, which is longer than they are by a third.</summary>
    internal const int BatchBytesMax = 40 << 10;

    private static readonly TimeSpan HandOverBound = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private IReadOnlyList<(GuestPort Port, IKeptFrames Frames)>? kept;
    private IReadOnlyList<GuestPort>? ports;
    private bool isOver;

    /// <summary>Finds out which ports the guest has. Until then nothing is kept.</summary>
    public async Task FindPortsAsync(CancellationToken stopping)
    {
        try
        {
            var key = new ResourceKey(route.Preparation.GuestNamespace, route.Preparation.GuestName);
            var found = parts.Guests.Current.Find(key) is { } guest ? await parts.Builder.PortsOfAsync(guest, stopping) : [];
            lock (gate)
            {
                ports = found;
            }
        }
        catch (MachineException error)
        {
            Log.NotKept(parts.Logger, route.Machine, ErrorChain.Describe(error));
        }
    }

    /// <summary>Called on the move's loop after each step.</summary>
    public void See(SourcePhase phase, CancellationToken stopping)
    {
        lock (gate)
        {
            switch (phase)
            {
                case SourcePhase.Opening or SourcePhase.Precopying or SourcePhase.Gathering when kept is null && ports is not null:
                    kept = Keep(ports);
                    break;
                case SourcePhase.Completing or SourcePhase.Postcopying when !isOver && kept is not null && phase.Move.Trace is { RunningAt: not null, PausedAt: { } paused }:
                    isOver = true;
                    _ = HandOverAsync(phase.Plan.Id, Take(kept, paused), stopping);
                    break;
            }
        }
    }

    /// <summary>QEMU says when it stopped the guest, for the move or for another reason, and when it let it go on.</summary>
    public void Heard(MachineEvent.RunStateChanged change)
    {
        lock (gate)
        {
            foreach (var (_, frames) in kept ?? [])
            {
                switch (change.State)
                {
                    case MachineRunState.Paused:
                        frames.Stopped(change.At);
                        break;
                    case MachineRunState.Running:
                        frames.Resumed();
                        break;
                }
            }
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            foreach (var (_, frames) in kept ?? [])
            {
                frames.Dispose();
            }

            kept = [];
        }
    }

    /// <summary>In their order, as many in one message as fit; one that is longer than a message is left out.</summary>
    internal static IEnumerable<MoveFrames> Batch(MoveId move, int nic, IReadOnlyList<byte[]> frames)
    {
        var batch = new List<byte[]>();
        foreach (var frame in frames.Where(frame => frame.Length <= BatchBytesMax))
        {
            if (batch.Sum(other => other.Length) + frame.Length > BatchBytesMax)
            {
                yield return new(move.Value, nic, batch);
                batch = [];
            }

            batch.Add(frame);
        }

        if (batch.Count > 0)
        {
            yield return new(move.Value, nic, batch);
        }
    }

    private List<(GuestPort Port, IKeptFrames Frames)> Keep(IReadOnlyList<GuestPort> all)
    {
        var opened = new List<(GuestPort, IKeptFrames)>();
        try
        {
            foreach (var port in all)
            {
                opened.Add((port, parts.Network.Keep(port)));
            }
        }
        catch (LinuxException error)
        {
            Log.NotKept(parts.Logger, route.Machine, ErrorChain.Describe(error));
        }

        return opened;
    }

    private static List<(int Nic, IReadOnlyList<byte[]> Frames)> Take(IReadOnlyList<(GuestPort Port, IKeptFrames Frames)> all, DateTimeOffset paused)
    {
        foreach (var (_, frames) in all)
        {
            frames.Stopped(paused); // If QEMU's own word was not heard.
        }

        return [.. all.Select(one => (one.Port.Index, one.Frames.Take()))];
    }

    private async Task HandOverAsync(MoveId move, List<(int Nic, IReadOnlyList<byte[]> Frames)> all, CancellationToken stopping)
    {
        using var late = new CancellationTokenSource(HandOverBound, parts.Time);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
        try
        {
            foreach (var message in all.SelectMany(one => Batch(move, one.Nic, one.Frames)))
            {
                await parts.Links.RequestAsync(route.Target, MoveMethods.Frames, message, bound.Token);
            }

            Log.HandedOver(parts.Logger, move, all.Sum(one => one.Frames.Count));
        }
        catch (Exception error) when (error is PeerException or PeerRefusedException or OperationCanceledException)
        {
            Log.NotHandedOver(parts.Logger, move, ErrorChain.Describe(error));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2341, Level = LogLevel.Debug, Message = "Move {Move}: {Count} frames that came for the guest while it stood still went after it")]
        public static partial void HandedOver(ILogger logger, MoveId move, int count);

        [LoggerMessage(EventId = 2342, Level = LogLevel.Information, Message = "Move {Move}: what came for the guest while it stood still could not go after it, and will have to be sent again: {Reason}")]
        public static partial void NotHandedOver(ILogger logger, MoveId move, string reason);

        [LoggerMessage(EventId = 2343, Level = LogLevel.Warning, Message = "What is sent to {Machine} while it stands still cannot be kept, and will have to be sent again: {Reason}")]
        public static partial void NotKept(ILogger logger, MachineId machine, string reason);
    }
}
