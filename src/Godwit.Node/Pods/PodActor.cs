using System.Collections.Concurrent;
using System.Net;
using Godwit.Api.Core.V1;
using Godwit.Base;
using Godwit.Containers;
using Godwit.Linux.Hosts;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Pods;

/// <summary>Does what a plan says on this host. What it remembers is lost with the agent and found again by doing it again: every step may be repeated.</summary>
internal sealed partial class PodActor(PodSyncParts parts, PodProbes probes, ProbeChecks checks, Action<string> wake)
{
    private static readonly TimeSpan TroubleFirst = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan TroubleMax = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan TokenRetry = TimeSpan.FromSeconds(30);
    private const int DoublingsMax = 5;

    private readonly ConcurrentDictionary<string, Task> ending = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> plugged = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Uid, string Container), StartTrouble> troubles = new();

    public IReadOnlySet<string> Ending => ending.Keys.ToHashSet(StringComparer.Ordinal);

    /// <summary>Whether the pod's sandbox stands and is connected since this agent began.</summary>
    public bool HasSandbox(string uid) => plugged.ContainsKey(uid) && parts.Engine.Sandboxes.Find(uid) is not null;

    public IReadOnlyDictionary<string, StartTrouble> TroublesOf(string uid) =>
        troubles.Where(pair => pair.Key.Uid == uid).ToDictionary(pair => pair.Key.Container, pair => pair.Value, StringComparer.Ordinal);

    public string AddressOf(Pod pod) => pod.Spec.HostNetwork == true ? parts.HostAddress : pod.Status.PodIP ?? "";

    public async Task MakeSandboxAsync(Pod pod, CancellationToken stopping)
    {
        var (uid, hostName) = (pod.Metadata.Uid, PodNames.HostName(pod, parts.Node.Value));
        var network = parts.Network.Current ?? throw new IOException("the guests' network does not stand yet on this node");
        var resolver = File.Exists("/etc/resolv.conf") ? await File.ReadAllTextAsync("/etc/resolv.conf", stopping) : "";
        var sandbox = parts.Engine.Sandboxes.Ensure(new SandboxSpec
        {
            Id = uid,
            HostName = hostName,
            HostNetwork = pod.Spec.HostNetwork == true,
            HostCommunication = pod.Spec.HostIPC == true,
            Hosts = PodNames.Hosts(pod, hostName, network.ClusterDomain),
            Resolver = PodNames.Resolver(pod, network, resolver),
            ControlGroup = PodContainers.ControlGroupOf(parts.ControlGroup, pod),
            Limits = PodResources.ForPod(pod),
        });
        if (sandbox.NetworkName is not null)
        {
            await parts.Network.PlugAsync(uid, sandbox, IPAddress.Parse(pod.Status.PodIP!), stopping);
        }

        plugged[uid] = "";
        wake(uid);
    }

    /// <summary>Image, variables, volumes, container, start: what fails is told and tried again later.</summary>
    public async Task StartAsync(Pod pod, PodStep.Start start, CancellationToken stopping)
    {
        var key = (pod.Metadata.Uid, start.Container.Name);
        try
        {
            var name = PodContainers.NameOf(pod, start.Container.Name, start.Attempt);
            if (parts.Engine.List().All(each => each.Name != name))
            {
                await CreateAsync(pod, start, name, stopping);
            }

            await parts.Engine.StartAsync(name, stopping);
            troubles.TryRemove(key, out _);
            var container = parts.Engine.Get(name);
            Tell(pod, warning: false, "Started", $"Started container {start.Container.Name}");
            if (PodContainers.Read(container) is { Run: { IsAlive: true } run })
            {
                probes.Follow(pod, start.Container, run, AddressOf(pod), isNew: true);
            }
        }
        catch (PodConfigException wrong)
        {
            Note(pod, start.Container, wrong.Reason, wrong.Message);
        }
        catch (NothingToDoException)
        {
            // It runs: somebody was here before.
        }
        catch (ContainerStartException failure)
        {
            Tell(pod, warning: true, "Failed", $"Error: {ErrorChain.Describe(failure)}"); // It counts as a run that has ended.
        }
        catch (Exception failure) when (failure is ContainerException or IOException or Linux.LinuxException or UnauthorizedAccessException)
        {
            Note(pod, start.Container, "CreateContainerError", ErrorChain.Describe(failure));
        }

        wake(pod.Metadata.Uid);
    }

    /// <summary>Replaces tokens in the pod's volumes before they end.</summary>
    /// <returns>When to look again; null: never.</returns>
    public async Task<DateTimeOffset?> RefreshTokensAsync(Pod pod, DateTimeOffset now, CancellationToken stopping)
    {
        try
        {
            var next = await parts.Volumes.RefreshTokensAsync(pod, new PodObjects(parts.Client, pod.Metadata.Namespace), now, stopping);
            return next is { } at && at < now + TokenRetry ? now + TokenRetry : next; // Whatever the server's clock says, not in a circle.
        }
        catch (Exception failure) when (failure is PodConfigException or Client.ClusterUnreachableException or IOException or Linux.LinuxException)
        {
            Log.NoToken(parts.Logger, pod.Metadata.Namespace, pod.Metadata.Name, ErrorChain.Describe(failure));
            return now + TokenRetry;
        }
    }

    /// <summary>The last hook, the signal, SIGKILL when the grace is over; in the background.</summary>
    public void End(Pod? pod, PodStep.End end, CancellationToken closing)
    {
        if (pod is not null)
        {
            Tell(pod, warning: false, "Killing", $"Stopping container {end.Run.Name}: {end.Why}");
        }

        var finished = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (ending.TryAdd(end.Run.Id, finished.Task))
        {
            _ = EndInBackgroundAsync(pod, end, finished, closing);
        }
    }

    public async Task DiscardAsync(PodRun run, CancellationToken stopping)
    {
        probes.Forget(run.Id);
        await RemoveAsync(run.Id, stopping);
    }

    /// <summary>All of a pod that has ended: containers, sandbox, cable, volumes.</summary>
    public async Task RemoveAsync(string uid, IReadOnlyList<PodRun> runs, CancellationToken stopping)
    {
        foreach (var run in runs)
        {
            await DiscardAsync(run, stopping);
        }

        await parts.Engine.RemoveSandboxAsync(uid, stopping);
        await parts.Network.UnplugAsync(uid, stopping);
        parts.Volumes.Remove(uid);
        plugged.TryRemove(uid, out _);
        foreach (var key in troubles.Keys.Where(key => key.Uid == uid))
        {
            troubles.TryRemove(key, out _);
        }
    }

    private async Task RemoveAsync(string container, CancellationToken stopping)
    {
        try
        {
            await parts.Engine.RemoveAsync(container, new RemoveOptions(Force: true, Volumes: true), stopping);
        }
        catch (NotThereException)
        {
            // Gone before.
        }
    }

    private async Task CreateAsync(Pod pod, PodStep.Start start, string name, CancellationToken stopping)
    {
        var objects = new PodObjects(parts.Client, pod.Metadata.Namespace);
        var image = await parts.Images.EnsureAsync(pod, start.Container, objects, stopping);
        var environment = await PodEnvironment.BuildAsync(pod, start.Container, objects, new PodSurroundings(parts.HostAddress, await parts.Services(stopping)), stopping);
        var mounts = new List<MountSpec>();
        foreach (var mount in start.Container.VolumeMounts)
        {
            var volume = pod.Spec.Volumes.FirstOrDefault(each => each.Name == mount.Name) ?? throw new PodConfigException($"there is no volume {mount.Name} to mount at {mount.MountPath}");
            var source = await parts.Volumes.PrepareAsync(pod, start.Container, volume, objects, stopping);
            var sub = PodFields.Expand(mount.SubPathExpr ?? "", environment) is { Length: > 0 } expanded ? expanded : mount.SubPath;
            mounts.Add(new MountSpec.Bind(PodVolumes.Inside(source, sub), mount.MountPath)
            {
                ReadOnly = mount.ReadOnly == true || volume is { PersistentVolumeClaim.ReadOnly: true } or { ConfigMap: not null } or { Secret: not null } or { Projected: not null } or { DownwardAPI: not null },
                Propagation = mount.MountPropagation switch { "HostToContainer" => MountPropagation.RecursiveSlave, "Bidirectional" => MountPropagation.RecursiveShared, _ => MountPropagation.RecursivePrivate },
            });
        }

        var spec = PodContainers.Build(pod, start, new PodContainerFacts
        {
            Image = image,
            HostName = PodNames.HostName(pod, parts.Node.Value),
            ControlGroup = PodContainers.ControlGroupOf(parts.ControlGroup, pod),
            Environment = environment,
            Mounts = mounts,
            Target = FindTarget(pod, start.Container.Name),
        });
        await parts.Engine.CreateAsync(name, spec, stopping);
        Tell(pod, warning: false, "Created", $"Created container {start.Container.Name}");
    }

    /// <summary>The run of the container that an ephemeral one looks at.</summary>
    /// <exception cref="PodConfigException">It does not run.</exception>
    private string? FindTarget(Pod pod, string container) => EphemeralContainers.TargetOf(pod, container) is not { } target ? null
        : parts.Engine.List().Select(PodContainers.Read).FirstOrDefault(read => read is { Run.IsAlive: true } found && found.Uid == pod.Metadata.Uid && found.Run.Name == target)?.Run.Id
            ?? throw new PodConfigException($"the container {target}, whose processes it is to see, does not run");

    private async Task EndInBackgroundAsync(Pod? pod, PodStep.End end, TaskCompletionSource finished, CancellationToken closing)
    {
        try
        {
            var begun = parts.Time.GetTimestamp();
            var container = pod?.Spec.Containers.Concat(pod.Spec.InitContainers).FirstOrDefault(each => each.Name == end.Run.Name);
            if (container?.Lifecycle?.PreStop is { } hook && end.Grace > TimeSpan.Zero
                && await checks.RunAsync(new ProbeSubject(end.Run.Id, AddressOf(pod!), container), hook, end.Grace, closing) is { } words)
            {
                Tell(pod!, warning: true, "FailedPreStopHook", $"PreStopHook failed: {words}");
            }

            var left = end.Grace - parts.Time.GetElapsedTime(begun);
            await parts.Engine.StopAsync(end.Run.Id, left > TimeSpan.Zero ? left : TimeSpan.Zero, closing);
        }
        catch (Exception failure) when (failure is ContainerException or OperationCanceledException or TimeoutException)
        {
            Log.NotEnded(parts.Logger, end.Run.Name, ErrorChain.Describe(failure)); // It has ended by itself, or the next plan tries again.
        }
        finally
        {
            probes.Forget(end.Run.Id);
            ending.TryRemove(end.Run.Id, out _);
            finished.TrySetResult();
            if (pod is not null)
            {
                wake(pod.Metadata.Uid);
            }
        }
    }

    private void Note(Pod pod, Container container, string reason, string message)
    {
        var key = (pod.Metadata.Uid, container.Name);
        var count = troubles.TryGetValue(key, out var before) ? Math.Min(before.Count + 1, DoublingsMax) : 0;
        var wait = TroubleFirst * (1 << count);
        troubles[key] = new StartTrouble(reason, message, count, parts.Time.GetUtcNow() + (wait < TroubleMax ? wait : TroubleMax));
        Tell(pod, warning: true, "Failed", message);
    }

    private void Tell(Pod pod, bool warning, string reason, string message) => parts.Events.Record(pod, warning ? EventTypes.Warning : EventTypes.Normal, reason, message);

    private static partial class Log
    {
        [LoggerMessage(EventId = 2511, Level = LogLevel.Debug, Message = "Container {Name} was not ended: {Reason}")]
        public static partial void NotEnded(ILogger logger, string name, string reason);

        [LoggerMessage(EventId = 2512, Level = LogLevel.Warning, Message = "The token of pod {Namespace}/{Pod} was not replaced; it is tried again: {Reason}")]
        public static partial void NoToken(ILogger logger, string @namespace, string pod, string reason);
    }
}
