using Godwit.Linux.ControlGroups;
using Godwit.Linux.Files;
using Godwit.Linux.Networking;
using Godwit.Linux.Processes;
using Godwit.Networks.Labs;
using Godwit.Networks.Names;
using Godwit.Networks.Overlays;
using Godwit.Node;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.App.Clusters;

/// <summary>
/// Takes down what <c>up</c> started, and what that started: first the agents (so that nothing starts anew), then guests and
/// name services, then the server, then networks, then the record. Finds things where they are (record, cgroup, namespace),
/// not by remembering, so it also cleans up after a start or an agent that was killed. Every step may be repeated.
/// </summary>
internal sealed class ClusterRemover(Places places, Action<string> say)
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);
    private readonly TimeProvider time = TimeProvider.System;

    /// <summary>True when there was something to take down.</summary>
    public async Task<bool> RemoveAsync(bool purge, CancellationToken stopping)
    {
        var record = ClusterRecord.Load(places);
        if (record is null)
        {
            return false;
        }

        using var only = FileLock.TryAcquire(Path.Combine(places.RunFolder, "lock"))
            ?? throw new ClusterException("Another 'godwit up' or 'godwit down' of this instance is at work: wait for it to end");
        foreach (var process in record.Processes.OrderBy(process => process.Name == ClusterPlan.ServerName))
        {
            await StopAsync(process, stopping);
        }

        say("ending guests");
        await EndGuestsAsync(stopping);
        var lab = new LabNetwork(record.Instance, LabNetwork.ChooseSubnet(record.Instance));
        await EndNamespaceProcessesAsync(lab, record.LabNodes, stopping);
        await EndNameServicesAsync(record, stopping);
        await new Overlay(NetworkNamespace.Own, time, NullLogger<Overlay>.Instance).RemoveAsync(new OverlayNames(places.LinkPrefix), stopping);
        if (record.LabNodes > 0)
        {
            lab.Remove();
        }

        RemoveFolders(record, purge);
        return true;
    }

    private async Task StopAsync(ProcessRecord record, CancellationToken stopping)
    {
        using var process = record.Open();
        if (process is not null)
        {
            say($"ending {record.Name}");
            await process.StopAsync(Grace, time, stopping);
        }
    }

    // Guests outlive their agents on purpose; their cgroup is how they are found again.
    private async Task EndGuestsAsync(CancellationToken stopping)
    {
        var groups = ControlGroupHost.Detect(time);
        await RemoveGroupAsync(groups, places.ControlGroup, stopping);
    }

    private static async Task RemoveGroupAsync(ControlGroupHost groups, string name, CancellationToken stopping)
    {
        foreach (var child in groups.ListChildren(name))
        {
            await RemoveGroupAsync(groups, $"{name}/{child}", stopping);
        }

        var group = groups.Open(name);
        if (group.Exists)
        {
            await group.KillAsync(stopping);
            await group.RemoveAsync(stopping);
        }
    }

    // Whatever still runs in one of the lab's namespaces is the lab's: nobody else can have got in there.
    private async Task EndNamespaceProcessesAsync(LabNetwork lab, int nodes, CancellationToken stopping)
    {
        foreach (var number in Enumerable.Range(1, nodes).Where(number => NetworkNamespace.Find(lab.NamespaceName(number)) is not null))
        {
            foreach (var identity in lab.Place(number).ListProcesses())
            {
                using var process = LinuxProcess.TryOpen(identity);
                if (process is not null)
                {
                    await process.StopAsync(Grace, time, stopping);
                }
            }
        }
    }

    // On this host itself a node's name service is one process of many: it is found by what its agent wrote down.
    private async Task EndNameServicesAsync(ClusterRecord record, CancellationToken stopping)
    {
        foreach (var folder in AgentHost.NameServiceFolders(Path.Combine(record.DataFolder, Places.AgentsFolderName)))
        {
            await NameService.EndAsync(folder, time, stopping);
        }
    }

    private void RemoveFolders(ClusterRecord record, bool purge)
    {
        // A lab is for trying things out: it starts fresh each time. A host keeps its VMs' definitions and disks.
        if ((record.LabNodes > 0 || purge) && Directory.Exists(record.DataFolder))
        {
            foreach (var folder in (string[])["server", Places.AgentsFolderName, "logs"])
            {
                var path = Path.Combine(record.DataFolder, folder);
                if (Directory.Exists(path))
                {
                    Directory.Delete(path, recursive: true);
                }
            }

            File.Delete(places.KubeconfigPath);
            if (!Directory.EnumerateFileSystemEntries(record.DataFolder).Any())
            {
                Directory.Delete(record.DataFolder);
            }
        }

        File.Delete(places.RecordPath);
        Directory.Delete(places.RunFolder, recursive: true); // With the lock that we hold: whoever waits for it makes a new one.
    }
}
