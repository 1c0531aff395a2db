using System.Text.Json.Serialization;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Protocol;
using Godwit.Node.Peers;

namespace Godwit.Node.Migrations;

/// <summary>An order of <c>Godwit.Migration.Protocol</c> on the wire, with what the target needs to prepare.</summary>
internal sealed record MoveOrder
{
    public required Guid Move { get; init; }

    public required Guid Machine { get; init; }

    public required MoveOrderKind Kind { get; init; }

    /// <summary>With <c>Abort</c> and <c>Bury</c>, for people.</summary>
    public string Reason { get; init; } = "";

    /// <summary>With <c>Recover</c>.</summary>
    public int Attempt { get; init; }

    /// <summary>With <c>Prepare</c>.</summary>
    public MovePreparation? Preparation { get; init; }

    public Order? ToOrder() => Kind switch
    {
        MoveOrderKind.Prepare => new Order.Prepare(),
        MoveOrderKind.Ask => new Order.Ask(),
        MoveOrderKind.Run => new Order.Run(),
        MoveOrderKind.Abort => new Order.Abort(Reason),
        MoveOrderKind.Recover => new Order.Recover(Attempt),
        MoveOrderKind.Bury => new Order.Bury(Reason),
        _ => null,
    };

    public static MoveOrder From(MoveId move, Guid machine, Order order, MovePreparation preparation) => order switch
    {
        Order.Prepare => Of(MoveOrderKind.Prepare) with { Preparation = preparation },
        Order.Ask => Of(MoveOrderKind.Ask),
        Order.Run => Of(MoveOrderKind.Run),
        Order.Abort abort => Of(MoveOrderKind.Abort) with { Reason = abort.Reason },
        Order.Recover recover => Of(MoveOrderKind.Recover) with { Attempt = recover.Attempt },
        Order.Bury bury => Of(MoveOrderKind.Bury) with { Reason = bury.Reason },
        _ => throw new InvalidOperationException($"The order {order} has no form on the wire."),
    } with { Move = move.Value, Machine = machine };

    private static MoveOrder Of(MoveOrderKind kind) => new() { Move = default, Machine = default, Kind = kind };
}

internal enum MoveOrderKind
{
    Prepare,
    Ask,
    Run,
    Abort,
    Recover,
    Bury,
}

/// <summary>Which guest, by which migration object, and how QEMU is to be set: both ends must agree.</summary>
internal sealed record MovePreparation(string GuestNamespace, string GuestName, string MigrationName, StreamSettings Stream)
{
    /// <summary>The disks that go along.</summary>
    public IReadOnlyList<MovedDisk> Disks { get; init; } = [];

    /// <summary>It lies in a file at the source: it is moved without having run there, and runs at the target.</summary>
    public bool Suspended { get; init; }

    /// <summary>What decides for the guest together with others; null: it moves alone.</summary>
    public ServiceReference? Service { get; init; }
}

/// <summary>What both QEMUs of a stream must be told alike, before it starts.</summary>
internal sealed record StreamSettings
{
    public bool Postcopy { get; init; }

    public bool AutoConverge { get; init; }

    /// <summary>From QEMU to QEMU; else through both agents.</summary>
    public bool Direct { get; init; }

    /// <summary>As the move began, for memory, and for disks all together, in bytes a second; zero: all that the link gives.</summary>
    public long BandwidthBytesPerSecond { get; init; }

    public double DowntimeLimitMs { get; init; }

    /// <summary>Connections that QEMU opens: the stream's own and, with post-copy, that of the pages asked for.</summary>
    [JsonIgnore]
    public int ChannelCount => Postcopy ? 2 : 1;
}

/// <summary>The target's standing, and the key to its stream for the source alone.</summary>
internal sealed record MoveReport
{
    public required Guid Move { get; init; }

    public required TargetStanding Standing { get; init; }

    public int ListeningAttempt { get; init; }

    public string Reason { get; init; } = "";

    /// <summary>Where the target holds the move on purpose; null: nowhere.</summary>
    public string? HeldAt { get; init; }

    /// <summary>
    /// A secret. Shown by the channels of the stream of <see cref="ListeningAttempt"/>; null when none is awaited. Given out
    /// as soon as the agent takes the stream in, which is before its QEMU listens.
    /// </summary>
    public string? StreamToken { get; init; }

    /// <summary>A secret, as <see cref="StreamToken"/>, for the export of the guest's disks.</summary>
    public string? DiskToken { get; init; }

    /// <summary>In place of the token, when the QEMUs speak to each other.</summary>
    public DirectDoor? Door { get; init; }

    public Report ToReport() => new(Standing, ListeningAttempt, Reason) { TakesStream = StreamToken is not null };
}

/// <summary>What a source asks of a target before it plans.</summary>
internal sealed record MoveFactsRequest;

internal sealed record MoveFacts(string? PostcopyObstacle);

/// <summary>What a source knows of the moves of the guest that it sent: newest last, at most <c>LearnedCorrection.MovesMax</c>.</summary>
internal sealed record MoveLessons(Guid Move, IReadOnlyList<PastMove> Moves);

internal sealed record MoveLessonsHeard;

/// <summary>What was sent to a guest while it stood still, after the target said that it runs. What comes too late, or not at all, is as if it had been lost.</summary>
/// <param name="Nic">Which of the guest's interfaces, from 0.</param>
/// <param name="Frames">Ethernet frames, each behind the ten bytes of a <c>virtio_net_hdr</c>; together no longer than a message may be.</param>
internal sealed record MoveFrames(Guid Move, int Nic, IReadOnlyList<byte[]> Frames);

internal sealed record MoveFramesTaken;

internal static class MoveMethods
{
    /// <summary>A notice, from target to source.</summary>
    public const string Report = "move.report";

    public static PeerMethod<MoveOrder, MoveReport> Order { get; } = new("move.order", MoveJson.Default.MoveOrder, MoveJson.Default.MoveReport);

    public static PeerMethod<DiskQuestion, DiskAnswer> Disks { get; } = new("move.disks", MoveJson.Default.DiskQuestion, MoveJson.Default.DiskAnswer);

    public static PeerMethod<SharedDiskQuestion, SharedDiskAnswer> SharedDisks { get; } = new("move.shared-disks", MoveJson.Default.SharedDiskQuestion, MoveJson.Default.SharedDiskAnswer);

    public static PeerMethod<MoveLessons, MoveLessonsHeard> Lessons { get; } = new("move.lessons", MoveJson.Default.MoveLessons, MoveJson.Default.MoveLessonsHeard);

    public static PeerMethod<MoveFrames, MoveFramesTaken> Frames { get; } = new("move.frames", MoveJson.Default.MoveFrames, MoveJson.Default.MoveFramesTaken);

    public static PeerMethod<MoveFactsRequest, MoveFacts> Facts { get; } = new("move.facts", MoveJson.Default.MoveFactsRequest, MoveJson.Default.MoveFacts);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(MoveOrder))]
[JsonSerializable(typeof(MoveReport))]
[JsonSerializable(typeof(MoveFactsRequest))]
[JsonSerializable(typeof(MoveFacts))]
[JsonSerializable(typeof(MoveLessons))]
[JsonSerializable(typeof(MoveLessonsHeard))]
[JsonSerializable(typeof(MoveFrames))]
[JsonSerializable(typeof(MoveFramesTaken))]
[JsonSerializable(typeof(MoveRecord))]
[JsonSerializable(typeof(DiskQuestion))]
[JsonSerializable(typeof(DiskAnswer))]
[JsonSerializable(typeof(SharedDiskQuestion))]
[JsonSerializable(typeof(SharedDiskAnswer))]
[JsonSerializable(typeof(MoveHistoryFile))]
[JsonSerializable(typeof(CostHistoryFile))]
internal sealed partial class MoveJson : JsonSerializerContext;
