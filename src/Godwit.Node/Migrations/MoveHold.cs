using System.Collections.Concurrent;
using Godwit.Api;
using Godwit.Api.KubeVirt.V1;
using Godwit.Client;
using Godwit.Migration.Protocol;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Migrations;

/// <summary>
/// Holds one end of a move at the point that the annotation <c>godwit.dev/hold-at</c> names, once, until the annotation is
/// taken away or the time is over. What is held are effects, never decisions: the engines go on watching, so that a cancel,
/// a failure or a watchdog ends a hold as it would end the step itself, and no rule of safety knows of holds. An agent that
/// was restarted holds nothing.
/// </summary>
internal sealed partial class MoveHold(MoveParts parts, MoveId move, MovePreparation preparation) : IDisposable
{
    /// <summary>While the guest runs a hold costs little.</summary>
    public static readonly TimeSpan RunningMax = TimeSpan.FromSeconds(60);

    /// <summary>While the guest stands still: less than the watchdog allows, which would turn a move back that is only held.</summary>
    public static readonly TimeSpan StandingMax = new PatienceSettings().Switchover * 0.75;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    private readonly ResourceKey key = new(preparation.GuestNamespace, preparation.MigrationName);
    private readonly ConcurrentDictionary<string, Lazy<Task>> holds = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource closing = new();
    private volatile string? at;

    /// <summary>Where it is held now; null: nowhere.</summary>
    public string? At => at;

    /// <summary>Returns when the move may go on from this point: at once, unless it is to be held here.</summary>
    /// <param name="point">One of <see cref="MoveHoldPoints"/>.</param>
    /// <exception cref="OperationCanceledException">The move is over: what was to follow must not.</exception>
    public async Task PassAsync(string point, CancellationToken stopping)
    {
        if (holds.ContainsKey(point) || Wants(point))
        {
            await holds.GetOrAdd(point, here => new(() => HoldAsync(here, stopping))).Value.WaitAsync(stopping);
        }
    }

    /// <summary>The annotation names this point.</summary>
    public bool Wants(string point) =>
        parts.Migrations.Current.Find(key) is { } migration
        && migration.Metadata.Uid == move.ToString()
        && migration.Metadata.DeletionTimestamp is null
        && migration.Metadata.Annotations.GetValueOrDefault(AnnotationNames.HoldAt) == point;

    /// <summary>Ends every hold: the move is over.</summary>
    public void Dispose() => closing.Cancel(); // Not disposed: one that is just beginning may still look at it.

    private async Task HoldAsync(string point, CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, closing.Token);
        var bound = point is MoveHoldPoints.Prepared or MoveHoldPoints.Moved ? RunningMax : StandingMax;
        var began = parts.Time.GetTimestamp();
        Log.Held(parts.Logger, move, point, bound.TotalSeconds);
        at = point;
        try
        {
            while (Wants(point) && parts.Time.GetElapsedTime(began) < bound)
            {
                await Task.Delay(Look, parts.Time, either.Token);
            }
        }
        finally
        {
            at = null;
        }

        Log.Released(parts.Logger, move, point, parts.Time.GetElapsedTime(began).TotalSeconds);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2371, Level = LogLevel.Warning, Message = "Move {Move} is held at {Point}, as its annotation asks, for at most {Seconds} s")]
        public static partial void Held(ILogger logger, MoveId move, string point, double seconds);

        [LoggerMessage(EventId = 2372, Level = LogLevel.Information, Message = "Move {Move} goes on from {Point} after {Seconds} s")]
        public static partial void Released(ILogger logger, MoveId move, string point, double seconds);
    }
}
