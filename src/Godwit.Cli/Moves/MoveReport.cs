using Godwit.Api.KubeVirt.V1;
using Godwit.Cli.Output;

namespace Godwit.Cli.Moves;

/// <summary>The end of a move: forecast and measurement side by side.</summary>
internal static class MoveReport
{
    private sealed record Line(string What, string Forecast, string Measured);

    public static void Write(TextWriter output, Printer printer, VirtualMachineInstanceMigration move)
    {
        var (forecast, measured) = (move.Status.Forecast, move.Status.Measurement);
        var mode = forecast?.Mode is { Length: > 0 } known ? $" by {known}" : "";
        output.WriteLine($"{move.Spec.VmiName} moved {MoveText.Route(move)}{mode}");
        output.WriteLine();
        printer.Table(
            [
                new Line("total", Human.Milliseconds(forecast?.TotalMs), Human.Milliseconds(measured?.TotalMs)),
                new Line("downtime, stop to run", Human.Milliseconds(forecast?.DowntimeMs), Human.Milliseconds(measured?.PausedMs)),
                new Line("downtime, as QEMU counts", Human.Unknown, Human.Milliseconds(measured?.DowntimeMs)),
                new Line("downtime, as the network saw", Human.Unknown, NetworkDowntime(measured)),
                new Line("sent", Human.Bytes(forecast?.Bytes), Human.Bytes(measured?.Bytes)),
                new Line("rounds", Human.Unknown, Human.Number(measured?.Rounds)),
            ],
            [new Column<Line>("", line => line.What), new("FORECAST", line => line.Forecast), new("MEASURED", line => line.Measured)]);
        if (!string.IsNullOrEmpty(measured?.Termination))
        {
            output.WriteLine();
            output.WriteLine($"copying ended by {MoveText.Termination(measured.Termination)}");
        }
    }

    private static string NetworkDowntime(MigrationMeasurement? measured) => measured switch
    {
        { Reachable: false } => "the guest did not answer afterwards",
        _ => Human.Milliseconds(measured?.NetworkDowntimeMs),
    };
}
