using System.CommandLine;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Cli.Output;
using Godwit.Client;

namespace Godwit.Cli.Commands;

/// <summary><c>godwit predict VM</c>: asks the guest's node what a move would take, and prints all modes beside each other.</summary>
internal static class PredictCommand
{
    private static readonly TimeSpan TidyWaitMax = TimeSpan.FromSeconds(5);

    public static Command Build(CommandContext context)
    {
        var name = context.VmArgument("The running virtual machine");
        var target = context.NodeOption("--to", "Node that it would move to (default: the scheduler chooses)");
        var keep = new Option<bool>("--keep") { Description = "Keep the Forecast object, for kubectl to look at" };
        var timeout = Arguments.DurationOption("--timeout", "How long to wait for the answer (default: 1m)");
        var command = new Command("predict", "Forecast what a move would take, mode by mode, without moving anything") { name, target, keep, timeout };
        Help.Add(
            command,
            [
                ("godwit predict tiny", "every mode, to the node that the scheduler would choose"),
                ("godwit predict tiny --to node-2 -o json", "for a program"),
            ],
            "Two models stand side by side: the textbook's (constant dirty rate) and Godwit's own, which measures the guest's writable working set and is what a move is planned by.");
        context.Act(command, async (session, parsed, stopping) =>
        {
            var vm = parsed.GetRequiredValue(name);
            await MigrateCommand.RequireRunningAsync(session, vm, stopping);
            var asked = new Forecast
            {
                Metadata = new ObjectMeta { GenerateName = vm + "-", Namespace = session.Namespace },
                Spec = new ForecastSpec { VmiName = vm, TargetNode = parsed.GetValue(target) },
            };
            var answered = await Patience.WaitAsync(
                session.Environment,
                $"the node of {vm} to measure the guest and the link",
                () => AskAsync(session, asked, parsed.GetValue(timeout) ?? TimeSpan.FromMinutes(1), parsed.GetValue(keep), stopping));
            if (answered.Status.Phase == ForecastPhases.Failed)
            {
                throw new CliException($"No forecast for {vm}: {answered.Status.Reason ?? "no reason was given"}");
            }

            session.Printer.Object(answered, output => Describe(session, output, answered));
            return ExitCodes.Done;
        });
        return command;
    }

    internal static void Describe(Session session, TextWriter output, Forecast forecast)
    {
        var status = forecast.Status;
        output.WriteLine($"{forecast.Spec.VmiName}, {status.SourceNode ?? "?"} → {status.TargetNode ?? "?"}");
        if (status.Observed is { } observed)
        {
            output.WriteLine(
                $"memory {Human.Bytes(observed.MemoryBytes)}, of which {Human.Bytes(observed.NonZeroBytes)} in use; written at {Human.Rate(observed.DirtyBytesPerSecond)}; link {Human.Rate(observed.LinkBytesPerSecond)}");
            if (observed.DiskBytes is { } disks)
            {
                output.WriteLine($"disks {Human.Bytes(disks)} to copy first, written at {Human.Rate(observed.DiskWrittenBytesPerSecond)}");
            }
        }

        output.WriteLine();
        session.Printer.Table(
            status.Modes,
            [
                new("MODE", mode => mode.Mode),
                new("TOTAL", mode => Human.Milliseconds(mode.Forecast?.TotalMs)),
                new("DOWNTIME", mode => Human.Milliseconds(mode.Forecast?.DowntimeMs)),
                new("TO SEND", mode => Human.Bytes(mode.Forecast?.Bytes)),
                new("CONFIDENCE", mode => Human.Percent(mode.Forecast?.Confidence)),
                new("TEXTBOOK TOTAL", mode => Textbook(mode.Textbook, book => book.TotalMs)),
                new("TEXTBOOK DOWNTIME", mode => Textbook(mode.Textbook, book => book.DowntimeMs)),
            ]);
        output.WriteLine();
        foreach (var mode in status.Modes.Where(mode => !string.IsNullOrEmpty(mode.Reason ?? mode.Forecast?.Reason)))
        {
            output.WriteLine($"{mode.Mode}: {mode.Reason ?? mode.Forecast?.Reason}");
        }

        if (!string.IsNullOrEmpty(status.RecommendedMode))
        {
            output.WriteLine($"Recommended: {status.RecommendedMode}{(string.IsNullOrEmpty(status.Reason) ? "" : $", {status.Reason}")}");
        }
    }

    private static string Textbook(TextbookForecast? book, Func<TextbookForecast, double?> number) => book switch
    {
        null => Human.Unknown,
        { Converges: false } when number(book) is null => "diverges",
        _ => Human.Milliseconds(number(book)),
    };

    /// <summary>Puts the question, waits for the answer, and takes the question away again.</summary>
    private static async Task<Forecast> AskAsync(Session session, Forecast question, TimeSpan bound, bool keep, CancellationToken stopping)
    {
        using var timeout = new CancellationTokenSource(bound, session.Environment.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, timeout.Token);
        var last = await session.Client.For<Forecast>().CreateAsync(question, stopping); // Not cut off by the bound: what was asked must be taken away again.
        try
        {
            await foreach (var forecast in session.FollowAsync<Forecast>(last.Metadata.Name, either.Token))
            {
                last = forecast ?? last;
                if (forecast is not null && ForecastPhases.IsFinal(forecast.Status.Phase))
                {
                    return forecast;
                }
            }

            throw new CliException("The forecast was deleted before it was answered");
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !stopping.IsCancellationRequested)
        {
            throw new CliException(
                $"No forecast within {bound.TotalSeconds:0} s: it is {last.Status.Phase?.ToLowerInvariant() ?? "waiting"}{(last.Status.SourceNode is { } node ? $"; is the agent on {node} alive? See godwit nodes" : "")}",
                ExitCodes.TimedOut);
        }
        finally
        {
            if (!keep)
            {
                await TidyAwayAsync(session, last);
            }
        }
    }

    /// <summary>Deleting the question is a courtesy: that it fails must not hide the answer, nor why there is none.</summary>
    private static async Task TidyAwayAsync(Session session, Forecast question)
    {
        try
        {
            using var bound = new CancellationTokenSource(TidyWaitMax, session.Environment.Clock);
            await session.Client.For<Forecast>().TryDeleteAsync(session.Key(question.Metadata.Name), new DeleteOptions(), bound.Token);
        }
        catch (Exception error) when (error is ApiException or ClusterUnreachableException or OperationCanceledException)
        {
            await session.Environment.Error.WriteLineAsync($"The object forecast/{question.Metadata.Name} is left behind: {ErrorChain.Describe(error)}");
        }
    }
}
