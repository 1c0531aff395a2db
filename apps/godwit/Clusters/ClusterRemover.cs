using Godwit.App.Roles;
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
            if (purge)
            {
                RefuseWhileGuestsRun();
            }

            return purge && RemoveData();
        }

        using var only = FileLock.TryAcquire(Path.Combine(places.RunFolder, "lock"))
            ?? throw new ClusterException("Another 'godwit up' or 'godwit down' of this instance is at work: wait for it to end");
        foreach (var process in record.Processes.OrderBy(process => process.Name == ClusterPlan.ServerName))
        {
            await StopAsync(process, stopping);
        }

        say("ending pods and guests");
        await EndPodsAsync(stopping);
        await EndGuestsAsync(stopping);
        await EndContainersAsync(record, stopping);
        var lab = new LabNetwork(record.Instance, LabNetwork.ChooseSubnet(record.Instance));
        await EndNamespaceProcessesAsync(lab, record.LabNodes, stopping);
        await EndNameServicesAsync(stopping);
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
        foreach (var agent in Directory.Exists(places.AgentsFolder) ? Directory.EnumerateDirectories(places.AgentsFolder) : [])
        {
            AgentHost.RemoveMachineMounts(agent);
        }
    }

    // Containers outlive their engine too. One that was not started by 'up' has its folders locked: what it runs is not ours to end.
    private async Task EndContainersAsync(ClusterRecord record, CancellationToken stopping)
    {
        if (record.LabNodes > 0 || !Directory.Exists(places.EngineFolder) || IsEngineOfAnother())
        {
            return;
        }

        say("ending containers");
        await EngineRole.EndContainersAsync(EngineRoleOptions.EngineOf(places), NullLoggerFactory.Instance, stopping);
    }

    private bool IsEngineOfAnother()
    {
        using var only = FileLock.TryAcquire(Path.Combine(places.EngineFolder, EngineRole.LockFileName));
        return only is null;
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

    private async Task EndPodsAsync(CancellationToken stopping)
    {
        foreach (var agent in Directory.Exists(places.AgentsFolder) ? Directory.EnumerateDirectories(places.AgentsFolder) : [])
        {
            await AgentHost.EndPodsAsync(agent, places.LinkPrefix, time, NullLoggerFactory.Instance, stopping);
        }
    }

    // On this host itself a node's name service is one process of many: it is found by what its agent wrote down.
    private async Task EndNameServicesAsync(CancellationToken stopping)
    {
        foreach (var folder in AgentHost.NameServiceFolders(places.AgentsFolder))
        {
            await NameService.EndAsync(folder, time, stopping);
        }
    }

    private void RemoveFolders(ClusterRecord record, bool purge)
    {
        // A lab is for trying things out: it starts fresh each time. A host keeps its VMs' definitions and disks.
        if (record.LabNodes > 0 || purge)
        {
            RemoveData();
        }

        File.Delete(places.RecordPath);
        Directory.Delete(places.RunFolder, recursive: true); // With the lock that we hold: whoever comes next makes a new one.
    }

    // What is ours in the data folder, and the folder itself when nothing else is in it: images are often kept there.
    private bool RemoveData()
    {
        if (!Directory.Exists(places.DataFolder))
        {
            return false;
        }

        MustBeUnused();
        var found = places.StateFolders.Where(Directory.Exists).ToList();
        found.ForEach(folder => Directory.Delete(folder, recursive: true));
        File.Delete(places.KubeconfigPath);
        if (!Directory.EnumerateFileSystemEntries(places.DataFolder).Any())
        {
            Directory.Delete(places.DataFolder);
        }

        return found.Count > 0;
    }

    // A server or agent that somebody started without 'up' is in no record; it holds its folder's lock.
    private void MustBeUnused()
    {
        var agents = Directory.Exists(places.AgentsFolder) ? Directory.EnumerateDirectories(places.AgentsFolder).Select(folder => Path.Combine(folder, AgentHost.LockFileName)) : [];
        foreach (var path in agents.Append(Path.Combine(places.ServerFolder, ServerRole.LockFileName)).Append(Path.Combine(places.EngineFolder, EngineRole.LockFileName)).Where(File.Exists))
        {
            using var only = FileLock.TryAcquire(path)
                ?? throw new ClusterException($"A server, agent or engine that 'godwit up' did not start runs on {Path.GetDirectoryName(path)}: stop it first. Nothing was deleted");
        }
    }

    // Their agent may be away for a moment; they are not ours to end, for we did not start it.
    private void RefuseWhileGuestsRun()
    {
        if (ControlGroupHost.Detect(time).ListChildren(places.ControlGroup).Count > 0)
        {
            throw new ClusterException($"Guests of an agent that 'godwit up' did not start may still run (cgroup {places.ControlGroup}): stop and delete them first. Nothing was deleted");
        }
    }
}
