using System.Text.Json;
using Godwit.Linux.Commands;
using Godwit.Linux.Files;
using Godwit.Oci.Runtime;

namespace Godwit.Containers.Monitoring;

/// <summary>crun's commands on a container that exists (crun(1)).</summary>
internal sealed class Crun(EngineOptions options, MountNamespace place, TimeProvider time)
{
    private const int ProcessesMax = 100_000;

    internal Task StartAsync(ContainerId id, CancellationToken stopping) => RunAsync(stopping, "start", id.Value);

    internal Task PauseAsync(ContainerId id, CancellationToken stopping) => RunAsync(stopping, "pause", id.Value);

    internal Task ResumeAsync(ContainerId id, CancellationToken stopping) => RunAsync(stopping, "resume", id.Value);

    /// <summary>Ends what is left of it and removes its cgroup and crun's own records. Idempotent.</summary>
    internal async Task DeleteAsync(ContainerId id, CancellationToken stopping)
    {
        if (Directory.Exists(Path.Combine(MonitorArguments.RuntimeRoot(options), id.Value)))
        {
            await RunAsync(stopping, "delete", "--force", id.Value);
        }
    }

    internal Task UpdateAsync(ContainerId id, RuntimeResources resources, CancellationToken stopping)
    {
        var command = Prepare("update", "--resources", "/dev/stdin", id.Value) with { Input = JsonSerializer.Serialize(resources, RuntimeJson.Default.RuntimeResources) };
        return command.RunAsync(time, stopping);
    }

    /// <summary>In crun's word: <c>created</c> (its program was never started), <c>running</c>, <c>paused</c>, <c>stopped</c>.</summary>
    internal async Task<string?> ReadStatusAsync(ContainerId id, CancellationToken stopping)
    {
        using var state = JsonDocument.Parse(await Prepare("state", id.Value).RunAsync(time, stopping));
        return state.RootElement.TryGetProperty("status", out var status) ? status.GetString() : null;
    }

    /// <summary>The processes in it, as the host counts.</summary>
    internal async Task<IReadOnlyList<int>> ListProcessesAsync(ContainerId id, CancellationToken stopping)
    {
        using var list = JsonDocument.Parse(await Prepare("ps", "--format", "json", id.Value).RunAsync(time, stopping));
        return [.. list.RootElement.EnumerateArray().Take(ProcessesMax).Select(entry => entry.GetInt32())];
    }

    private Task<string> RunAsync(CancellationToken stopping, params string[] arguments) => Prepare(arguments).RunAsync(time, stopping);

    private Command Prepare(params string[] arguments) =>
        new(options.RuntimePath, [$"--root={MonitorArguments.RuntimeRoot(options)}", .. arguments]) { View = place };
}
