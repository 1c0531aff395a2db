using System.Security.Cryptography;
using Godwit.Containers.Monitoring;
using Godwit.Linux;
using Microsoft.Extensions.Logging;

namespace Godwit.Containers;

/// <summary>
/// A monitor made ready before a container's next execution is asked for. Starting one takes conmon a third of all the time of an execution (libraries, forks, sockets), and nothing
/// of that depends on what will be executed; only whether there is input.
/// <code>
///   none ──Ready──▶ being made ──▶ waits ──Take──▶ an execution's
///     ▲                              │  not taken for 60 s, of another form, the container's end, the engine's end
///     └──────────── killed ◀─────────┘
/// </code>
/// One for each container of late executions (probes, health checks, a person at work), <see cref="Monitors.SparesMax"/> for all of an engine. Whoever finds none starts a monitor then, and none is
/// ever relied on: one that has been killed meanwhile counts as none.
/// </summary>
internal sealed partial class SpareMonitor(Container container, EngineParts parts)
{
    private static readonly TimeSpan IdleMax = TimeSpan.FromSeconds(60);

    private readonly Lock gate = new();
    private Held? held;

    /// <summary>Sees to it that one is being made for executions of this form, unless there is one, or the container does not run. Returns at once.</summary>
    internal void Ready(ProcessSpec form)
    {
        lock (gate)
        {
            // The container's end first says that it runs no longer and then takes what is held, so none is forgotten.
            if (held is null && !form.Terminal && container.State is ContainerState.Running && !parts.Closing.IsCancellationRequested && parts.Monitors.Spares.Wait(0, CancellationToken.None))
            {
                held = new Held(Task.Run(() => PrepareAsync(form), CancellationToken.None), form.OpenStandardInput, parts.Time.GetTimestamp());
            }
        }
    }

    /// <summary>The monitor for an execution of this form, or null.</summary>
    internal async Task<PreparedMonitor?> TakeAsync(ProcessSpec form)
    {
        if (form.Terminal || Release() is not { } taken)
        {
            return null;
        }

        var monitor = await taken.Monitor;
        if (monitor is null || (taken.HasInput == form.OpenStandardInput && monitor.Folder.FindMonitor() is { IsExiting: false }))
        {
            return monitor;
        }

        _ = container.InBackgroundAsync(() => monitor.EndAsync(parts.Time, parts.Closing), "ending a monitor that is not needed");
        return null;
    }

    /// <summary>Ends one that nobody has taken for long.</summary>
    internal Task EndIdleAsync(CancellationToken stopping)
    {
        lock (gate)
        {
            if (held is null || parts.Time.GetElapsedTime(held.Since) < IdleMax)
            {
                return Task.CompletedTask;
            }
        }

        return EndAsync(stopping);
    }

    /// <summary>Ends what waits; returns when it has ended.</summary>
    internal async Task EndAsync(CancellationToken stopping)
    {
        if (Release() is not { } taken || await taken.Monitor is not { } monitor)
        {
            return;
        }

        try
        {
            await monitor.EndAsync(parts.Time, stopping);
        }
        catch (Exception failure) when (failure is LinuxException or TimeoutException)
        {
            Log.NotEnded(parts.Log, container.Name, failure); // Neither the container's end nor the engine's hangs on it.
        }
    }

    private Held? Release()
    {
        lock (gate)
        {
            var taken = held;
            held = null;
            if (taken is not null)
            {
                parts.Monitors.Spares.Release();
            }

            return taken;
        }
    }

    private async Task<PreparedMonitor?> PrepareAsync(ProcessSpec form)
    {
        var unique = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(ContainerId.Length / 2));
        var folder = container.Folder.Execution(unique);
        try
        {
            var monitor = await parts.Monitors.PrepareAsync(folder, form with { StandardInputOnce = true }, unique, parts.Closing);
            try
            {
                await monitor.WrittenDownAsync(parts.Time, parts.Closing); // Or nobody could tell later whether it lives.
                return monitor;
            }
            catch
            {
                monitor.Dispose(); // There is nothing to execute, so it ends.
                throw;
            }
        }
        catch (Exception failure) when (failure is ContainerStartException or LinuxException or IOException or TimeoutException or UnauthorizedAccessException or OperationCanceledException)
        {
            // The next execution starts its own monitor, and tells if it cannot either.
            Log.NotReady(parts.Log, container.Name, failure);
            folder.Remove();
            return null;
        }
    }

    private sealed record Held(Task<PreparedMonitor?> Monitor, bool HasInput, long Since);

    private static partial class Log
    {
        [LoggerMessage(EventId = 4103, Level = LogLevel.Debug, Message = "No monitor could be made ready for the next execution in {Container}")]
        internal static partial void NotReady(ILogger log, string container, Exception failure);

        [LoggerMessage(EventId = 4104, Level = LogLevel.Warning, Message = "The monitor that waited for an execution in {Container} does not end")]
        internal static partial void NotEnded(ILogger log, string container, Exception failure);
    }
}
