using Godwit.Api.KubeVirt.V1;
using Godwit.Node.Serving;

namespace Godwit.Node.Migrations;

/// <summary>A move that runs, for Prometheus; pure. A move that has ended has no samples.</summary>
internal static class MoveMetrics
{
    public static IEnumerable<MetricSample> Of(MovePreparation preparation, MigrationProgress progress)
    {
        (string, string)[] labels = [("namespace", preparation.GuestNamespace), ("name", preparation.GuestName), ("migration", preparation.MigrationName)];
        (string Name, string Help, double? Value)[] samples =
        [
            ("godwit_move_percent", "How far the move is, never falling.", progress.Percent),
            ("godwit_move_rounds", "Passes over memory, from 1.", progress.Round),
            ("godwit_move_transferred_bytes", "Bytes of memory sent so far.", progress.TransferredBytes),
            ("godwit_move_remaining_bytes", "Bytes of memory still to be sent, as known now.", progress.RemainingBytes),
            ("godwit_move_disk_copied_bytes", "Bytes of disks copied so far.", progress.DiskCopiedBytes),
            ("godwit_move_throughput_bytes_per_second", "What the last round was sent with.", progress.ThroughputBytesPerSecond),
            ("godwit_move_dirty_bytes_per_second", "How fast the guest writes.", progress.DirtyBytesPerSecond),
            ("godwit_move_end_earliest_timestamp_seconds", "The earliest end that is likely, in seconds since 1970.", Seconds(progress.EndEarliestTimestamp)),
            ("godwit_move_end_latest_timestamp_seconds", "The latest end that is likely, in seconds since 1970.", Seconds(progress.EndLatestTimestamp)),
            ("godwit_move_success_chance_percent", "The share of what is likely in which the move ends well within its policy's bounds.", progress.SuccessChancePercent),
        ];
        return samples.Where(sample => sample.Value is not null).Select(sample => new MetricSample(sample.Name, "gauge", sample.Help, sample.Value!.Value, labels));
    }

    private static double? Seconds(DateTimeOffset? time) => time?.ToUnixTimeMilliseconds() / 1000.0;
}
