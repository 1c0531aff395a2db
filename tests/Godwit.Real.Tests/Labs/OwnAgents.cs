namespace Godwit.Real.Tests.Labs;

/// <summary>The lab's agents with more options, or inside another program, until this is disposed of.</summary>
internal sealed class OwnAgents(GodwitLab lab) : IAsyncDisposable
{
    private readonly Dictionary<string, (IReadOnlyList<string> CommandLine, IAsyncDisposable Agent)> agents = [];

    public async Task RestartAsync(string node, IReadOnlyList<string> options, params string[] wrapper)
    {
        var isOwn = agents.TryGetValue(node, out var before);
        var commandLine = isOwn ? before.CommandLine : lab.AgentCommandLine(node);
        await (isOwn ? before.Agent.DisposeAsync().AsTask() : GodwitLab.StopAsync(lab.AgentProcessId(node)));
        agents[node] = (commandLine, await lab.StartAgentAsync(node, [.. wrapper, .. commandLine, .. options]));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, agent) in agents.Values)
        {
            await agent.DisposeAsync();
        }
    }
}
