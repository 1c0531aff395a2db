using System.Collections.Concurrent;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Machines;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Guests;

/// <summary>What one guest used, as two readings tell.</summary>
internal sealed record UsageReading(MachineUsage Total, ResourceUsage Recent, long ReadTimestamp);

/// <summary>Reads every <see cref="Interval"/> what each guest uses. One that cannot be read is left out until it can.</summary>
internal sealed partial class UsageSampler(LocalMachines machines, TimeProvider time, ILogger logger)
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan ReadTimeMax = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<MachineId, UsageReading> readings = new();

    public ResourceUsage? Find(MachineId id) => readings.TryGetValue(id, out var reading) ? reading.Recent : null;

    public UsageReading? FindReading(MachineId id) => readings.GetValueOrDefault(id);

    public void Forget(MachineId id) => readings.TryRemove(id, out _);

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            foreach (var machine in machines.All)
            {
                await ReadAsync(machine, stopping);
            }

            await Task.Delay(Interval, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ReadAsync(IMachine machine, CancellationToken stopping)
    {
        if (machine.RunState is not (MachineRunState.Running or MachineRunState.Paused))
        {
            Forget(machine.Spec.Id);
            return;
        }

        using var late = new CancellationTokenSource(ReadTimeMax, time);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
        try
        {
            var total = await machine.GetUsageAsync(bound.Token);
            var now = time.GetTimestamp();
            readings.TryGetValue(machine.Spec.Id, out var before);
            long? millicores = before is null
                ? null
                : (long)((total.CpuTime - before.Total.CpuTime).TotalMilliseconds / Math.Max(1, time.GetElapsedTime(before.ReadTimestamp, now).TotalSeconds));
            var recent = new ResourceUsage { CpuMillicores = millicores, MemoryBytes = total.ResidentBytes, UpdatedTimestamp = time.GetUtcNow() };
            readings[machine.Spec.Id] = new UsageReading(total, recent, now);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
        }
        catch (Exception error)
        {
            Forget(machine.Spec.Id);
            Log.CannotRead(logger, machine.Spec.DisplayName, ErrorChain.Describe(error));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2141, Level = LogLevel.Debug, Message = "Cannot read what {Guest} uses: {Reason}")]
        public static partial void CannotRead(ILogger logger, string guest, string reason);
    }
}
