using Godwit.Api.KubeVirt.V1;
using Godwit.Cli.Output;
using Spectre.Console;

namespace Godwit.Cli.Moves;

/// <summary>
/// Shows a move while it happens: a bar on a terminal, lines elsewhere. What it returns is the move's last state, or
/// null when its object was deleted, which is how a move is cancelled.
/// </summary>
internal static class MoveView
{
    /// <summary>Without a terminal, a line at most this often, but for a new phase or round.</summary>
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(2);

    /// <summary>After its end, a move is followed this long for the downtime that the network saw: the observer writes it last.</summary>
    private static readonly TimeSpan ObserverWaitMax = TimeSpan.FromSeconds(5);

    public static Task<VirtualMachineInstanceMigration?> FollowAsync(Session session, string name, CancellationToken stopping) =>
        session.Environment.OutputIsTerminal && session.Format is OutputFormat.Table or OutputFormat.Wide
            ? FollowWithBarAsync(session, name, stopping)
            : FollowWithLinesAsync(session, name, stopping);

    private static async Task<VirtualMachineInstanceMigration?> FollowWithLinesAsync(Session session, string name, CancellationToken stopping)
    {
        var (toldStage, toldForecast, toldAt) = ("", false, session.Environment.Clock.GetTimestamp());
        VirtualMachineInstanceMigration? last = null;
        await foreach (var move in UntilMeasuredAsync(session, name, stopping))
        {
            last = move;
            if (move is null || MigrationPhases.IsFinal(move.Status.Phase))
            {
                continue;
            }

            if (!toldForecast && move.Status.Forecast is { } forecast)
            {
                toldForecast = true;
                await session.Remarks.WriteLineAsync(MoveText.Forecast(forecast));
            }

            var stage = MoveText.Stage(move);
            if (stage != toldStage || session.Environment.Clock.GetElapsedTime(toldAt) >= LineEvery)
            {
                (toldStage, toldAt) = (stage, session.Environment.Clock.GetTimestamp());
                var transfer = MoveText.Transfer(move.Status.Progress);
                await session.Remarks.WriteLineAsync($"{move.Spec.VmiName}: {stage}{(transfer.Length > 0 ? $": {transfer}" : "")}");
            }
        }

        return last;
    }

    private static async Task<VirtualMachineInstanceMigration?> FollowWithBarAsync(Session session, string name, CancellationToken stopping)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(session.Output), Interactive = InteractionSupport.Yes });
        console.Profile.Width = session.Environment.Width;
        VirtualMachineInstanceMigration? last = null;
        await console.Progress()
            .AutoClear(true)
            .Columns(new ProgressBarColumn { Width = 24 }, new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .StartAsync(async display =>
            {
                var bar = display.AddTask("waiting", maxValue: 100);
                var toldForecast = false;
                await foreach (var move in UntilMeasuredAsync(session, name, stopping))
                {
                    last = move;
                    if (move is null)
                    {
                        continue;
                    }

                    if (!toldForecast && move.Status.Forecast is { } forecast)
                    {
                        toldForecast = true;
                        console.MarkupLine($"[grey]{Markup.Escape(MoveText.Forecast(forecast))}[/]");
                    }

                    bar.Value = move.Status.Progress?.Percent ?? 0;
                    var transfer = MoveText.Transfer(move.Status.Progress);
                    bar.Description = Markup.Escape(transfer.Length > 0 ? $"{MoveText.Stage(move)}: {transfer}" : MoveText.Stage(move));
                }
            });
        return last;
    }

    /// <summary>The move's states up to its end, and a little beyond, until what the network saw is known.</summary>
    private static async IAsyncEnumerable<VirtualMachineInstanceMigration?> UntilMeasuredAsync(
        Session session, string name, [EnumeratorCancellation] CancellationToken stopping)
    {
        using var observer = new CancellationTokenSource(Timeout.InfiniteTimeSpan, session.Environment.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, observer.Token);
        await using var states = session.FollowAsync<VirtualMachineInstanceMigration>(name, either.Token).GetAsyncEnumerator(either.Token);
        var ended = false;
        while (true)
        {
            try
            {
                if (!await states.MoveNextAsync())
                {
                    yield break;
                }
            }
            catch (OperationCanceledException) when (ended && !stopping.IsCancellationRequested)
            {
                yield break;
            }

            var move = states.Current;
            if (move is null && ended)
            {
                yield break; // Tidied away after its end: what it ended with has been told.
            }

            yield return move;
            if (move?.Status is { Phase: MigrationPhases.Failed } or { Measurement.NetworkDowntimeMs: not null, Phase: MigrationPhases.Succeeded })
            {
                yield break;
            }

            if (!ended && MigrationPhases.IsFinal(move?.Status.Phase))
            {
                ended = true;
                observer.CancelAfter(ObserverWaitMax);
            }
        }
    }
}
