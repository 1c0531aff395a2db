using System.Text;
using Godwit.Containers.Health;
using Godwit.Linux.Processes;

namespace Godwit.Containers;

/// <summary>Looks at a container's health while it runs, by executing its check now and then.</summary>
internal sealed class HealthWatch(Container container, EngineParts parts) : IDisposable
{
    private const int OutputBytesMax = 4096;
    private const int TimedOutExitCode = -1;

    private CancellationTokenSource? looking;
    private volatile ContainerHealth? current;

    internal ContainerHealth? Current => current;

    internal void Start(Incarnation now)
    {
        if (container.Record.Spec.HealthCheck is not { } spec)
        {
            return;
        }

        Stop();
        current = HealthDecision.First;
        looking = CancellationTokenSource.CreateLinkedTokenSource(parts.Closing);
        var stopping = looking.Token;
        _ = container.InBackgroundAsync(() => LookAsync(now, spec, stopping), "the health check");
    }

    internal void Stop()
    {
        looking?.Cancel();
        looking?.Dispose();
        looking = null;
        current = null;
    }

    public void Dispose() => Stop();

    private async Task LookAsync(Incarnation now, HealthCheckSpec spec, CancellationToken stopping)
    {
        try
        {
            while (current is { } before)
            {
                await Task.Delay(HealthDecision.NextWait(before, spec, parts.Time.GetUtcNow() - now.StartedAt), parts.Time, stopping);
                if (container.State is ContainerState.Paused)
                {
                    continue;
                }

                var probe = await ProbeAsync(spec, stopping);
                var after = HealthDecision.Next(before, probe, spec, parts.Time.GetUtcNow() - now.StartedAt);
                stopping.ThrowIfCancellationRequested();
                current = after;
                if (after.Status != before.Status)
                {
                    container.Tell($"health_status: {(after.Status is HealthStatus.Healthy ? "healthy" : "unhealthy")}");
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // It has ended, or the engine ends.
        }
    }

    private async Task<HealthProbe> ProbeAsync(HealthCheckSpec spec, CancellationToken stopping)
    {
        var start = parts.Time.GetUtcNow();
        var output = new MemoryStream();
        var code = TimedOutExitCode;
        try
        {
            var execution = container.Executions.Create(new ExecutionSpec { Process = new ProcessSpec { Command = spec.Command } });
            await using var session = await execution.StartAsync(size: null, stopping);
            using var bound = new CancellationTokenSource(spec.Timeout > TimeSpan.Zero ? spec.Timeout : TimeSpan.FromSeconds(30), parts.Time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, stopping);
            try
            {
                await foreach (var chunk in session.ReadOutputAsync(either.Token))
                {
                    output.Write(chunk.Bytes.Span[..Math.Min(chunk.Bytes.Length, OutputBytesMax - (int)output.Length)]);
                }

                code = await session.Ended.WaitAsync(either.Token);
            }
            catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
            {
                End(execution);
                output.SetLength(0);
                output.Write(Encoding.UTF8.GetBytes($"Health check exceeded timeout ({spec.Timeout})"));
            }
        }
        catch (ContainerException failure)
        {
            code = (failure as ContainerStartException)?.Code ?? 1;
            output.Write(Encoding.UTF8.GetBytes(Base.ErrorChain.Describe(failure)));
        }

        return new HealthProbe(start, parts.Time.GetUtcNow(), code, Encoding.UTF8.GetString(output.GetBuffer(), 0, (int)output.Length));
    }

    private static void End(Execution execution)
    {
        if (execution.Snapshot().ProcessId is { } id && ProcessIdentity.Find(id) is { } identity && LinuxProcess.TryOpen(identity) is { } process)
        {
            using (process)
            {
                process.Send(ProcessSignal.Kill);
            }
        }
    }
}
