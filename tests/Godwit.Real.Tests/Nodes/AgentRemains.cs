using Godwit.Linux.Networking;
using Godwit.Linux.Processes;
using Godwit.Networks.Overlays;
using Godwit.Node;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Real.Tests.Nodes;

/// <summary>What an agent leaves running when it ends, because it is to outlive it: taken away at a test's end.</summary>
internal static class AgentRemains
{
    /// <param name="agentFolder">The agent's data.</param>
    /// <param name="prefix">What its links are called by.</param>
    public static async Task RemoveAsync(string agentFolder, string prefix)
    {
        var names = Path.Combine(agentFolder, "names");
        foreach (var left in Directory.Exists(names) ? Directory.EnumerateFiles(names, "process") : [])
        {
            if (ProcessIdentity.TryParse(await File.ReadAllTextAsync(left, CancellationToken.None), out var identity) && LinuxProcess.TryOpen(identity) is { } process)
            {
                await process.StopAsync(TimeSpan.FromSeconds(3), TimeProvider.System, CancellationToken.None);
                process.Dispose();
            }
        }

        await AgentHost.EndPodsAsync(agentFolder, prefix, TimeProvider.System, NullLoggerFactory.Instance, CancellationToken.None);
        await new Overlay(NetworkNamespace.Own, TimeProvider.System, NullLogger<Overlay>.Instance).RemoveAsync(new OverlayNames(prefix), CancellationToken.None);
    }
}
