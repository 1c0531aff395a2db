using System.Text.Json;
using Godwit.Containers.Logs;
using Godwit.Containers.Runtime;
using Godwit.Linux.Processes;
using Godwit.Oci.Runtime;

namespace Godwit.Containers;

/// <summary>From rest to running.</summary>
internal sealed partial class Container
{
    internal Task StartAsync(CancellationToken stopping) => InTurnAsync(
        async () =>
        {
            switch (record.State)
            {
                case ContainerState.Alive:
                    throw new NothingToDoException($"container {Name} is running");
                case ContainerState.Dead dead:
                    throw new ConflictException($"container {Name} is half removed ({dead.Reason}): remove it again");
            }

            restartStreak = 0;
            try
            {
                await StartInTurnAsync(stopping);
            }
            catch when (record.Spec.AutoRemove)
            {
                // It has ended before it began; who waits for its removal must not wait for ever.
                await RemoveInTurnAsync(volumes: true, CancellationToken.None);
                throw;
            }
        },
        stopping);

    /// <summary>The gate is held. On failure nothing of the start is left, and the state says why.</summary>
    private async Task StartInTurnAsync(CancellationToken stopping)
    {
        await CleanUpInTurnAsync(stopping);
        Incarnation? created = null;
        try
        {
            created = await CreateProcessAsync(stopping);
            await Sessions.ConnectAsync(Folder, record.Spec.Process, stopping);
            Save(record with { State = new ContainerState.Running(created), StoppedByHand = false });
            await StartProgramAsync(stopping);
        }
        catch (Exception failure)
        {
            await GiveUpStartAsync(failure);
            throw failure is ContainerException or OperationCanceledException
                ? failure
                : new ContainerStartException(125, $"cannot start container {Name}", failure);
        }

        Log.Started(parts.Log, Name, created.ProcessId);
        Tell("start");
        Watch(created);
    }

    /// <summary>All is made, and the program waits.</summary>
    private Task StartProgramAsync(CancellationToken stopping)
    {
        TellBlockIoWeight();
        return parts.Crun.StartAsync(Id, stopping);
    }

    /// <summary>Its cgroup is there.</summary>
    private void TellBlockIoWeight()
    {
        if (record.Spec.Resources.BlockIoWeight is { } weight && !parts.ControlGroups.SetBlockIoWeight(ControlGroupPath.TrimStart('/'), weight))
        {
            Log.NoWeights(parts.Log, Name, weight);
        }
    }

    private async Task<Incarnation> CreateProcessAsync(CancellationToken stopping)
    {
        var spec = record.Spec;
        Directory.CreateDirectory(Folder.Run);
        var mounting = parts.Roots.MountAsync(Id, seenBy: null, stopping);
        var joining = ContainerNetworking.JoinAsync(record, Folder, parts, stopping);
        try
        {
            await Task.WhenAll(mounting, joining);
        }
        catch
        {
            // Both have ended now; the first failure is the one that counts.
            await mounting;
            throw;
        }

        var (root, joined) = (await mounting, await joining);
        record = record with { Endpoints = joined.Endpoints, Ports = joined.Ports };
        var mounts = await MountPlanner.PlanAsync(record, root, parts, stopping);
        var user = ContainerUsers.Find(root, spec.Process);
        using var owner = UserNamespaces.Open(spec, joined, parts);
        if (owner is not null)
        {
            // What had to be done with the ids of the disk is done.
            await parts.Roots.UnmountAsync(Id, stopping);
            root = await parts.Roots.MountAsync(Id, owner, stopping);
        }

        var plan = new RuntimePlan
        {
            Id = Id,
            Spec = spec,
            Host = parts.Host,
            RootPath = root,
            Folder = joined.NamesFolder,
            User = user,
            Ids = owner?.Ids,
            ControlGroupPath = ControlGroupPath,
            Namespaces = NamespacePlan.Build(spec, joined.NamespacePath, owner, parts),
            SharedMemoryFolder = spec.Isolation.IpcNamespace is NamespaceSpec.OfSandbox ? parts.FindSandbox(spec.Network.Sandbox).SharedMemoryFolder : null,
            Mounts = mounts,
            Devices = HostDevices.Find(spec.Isolation),
            Throttled = HostDevices.FindThrottled(spec.Resources),
        };
        await File.WriteAllBytesAsync(Folder.Monitor.Configuration, JsonSerializer.SerializeToUtf8Bytes(RuntimeSpecBuilder.Build(plan), RuntimeJson.Default.RuntimeSpec), stopping);
        new LogFiles(Folder.Log).EndLine();
        return await parts.Monitors.CreateAsync(Folder, spec, stopping);
    }

    /// <summary>Where crun makes its cgroup.</summary>
    internal string ControlGroupPath => $"/{record.Spec.Isolation.ParentControlGroup?.Trim('/') ?? parts.Options.ControlGroup}/{Id.Value}";

    private async Task GiveUpStartAsync(Exception failure)
    {
        var code = (failure as ContainerStartException)?.Code ?? 125;
        var at = parts.Time.GetUtcNow();
        var state = record.State is ContainerState.Exited or ContainerState.Restarting
            ? new ContainerState.Exited(new ContainerExit(code, OutOfMemory: false, at, at, Base.ErrorChain.Describe(failure)))
            : (ContainerState)new ContainerState.Created(new StartFailure(code, Base.ErrorChain.Describe(failure), at));
        // Whoever asked may have gone; what was begun is taken back all the same.
        await CleanUpInTurnAsync(CancellationToken.None);
        Note(record with { State = state, Ports = [] });
        TellExit(new ContainerExit(code, OutOfMemory: false, at, at, failure.Message));
        if (record.Spec.AutoRemove)
        {
            // Its end has come, if before its beginning.
            await RemoveInTurnAsync(volumes: true, CancellationToken.None);
        }
    }

    /// <summary>From now on its end is noticed, and its health looked at.</summary>
    private void Watch(Incarnation now)
    {
        var monitor = LinuxProcess.TryOpen(now.Monitor);
        _ = InBackgroundAsync(() => EndAsync(now, monitor), "the end");
        Health.Start(now);
    }

    /// <summary>At the engine's start: goes on from where the last one was when it ended.</summary>
    internal Task AdoptAsync(CancellationToken stopping) => InTurnAsync(
        async () =>
        {
            switch (record.State)
            {
                case ContainerState.Alive alive:
                    await AdoptAliveAsync(alive, stopping);
                    break;
                case ContainerState.Restarting restarting:
                    await CleanUpInTurnAsync(stopping);
                    RestartLater(restarting);
                    break;
                default:
                    await CleanUpInTurnAsync(stopping);
                    if (RestartDecision.StartsWithEngine(record))
                    {
                        await StartInTurnAsync(stopping);
                    }

                    break;
            }
        },
        stopping);

    private async Task AdoptAliveAsync(ContainerState.Alive alive, CancellationToken stopping)
    {
        if (ProcessIdentity.Find(alive.Now.Monitor.ProcessId) == alive.Now.Monitor && Directory.Exists(Folder.Run))
        {
            await Sessions.ConnectAsync(Folder, record.Spec.Process, stopping);
            switch (await parts.Crun.ReadStatusAsync(Id, stopping))
            {
                case "created":
                    await StartProgramAsync(stopping);
                    break;
                case "paused" when alive is not ContainerState.Paused:
                    Note(record with { State = new ContainerState.Paused(alive.Now) }); // The disk was full when it was.
                    break;
                case "running" when alive is ContainerState.Paused:
                    Note(record with { State = new ContainerState.Running(alive.Now) });
                    break;
                default:
                    break;
            }

            Log.Adopted(parts.Log, Name, alive.Now.ProcessId);
        }

        Watch(alive.Now);
    }
}
