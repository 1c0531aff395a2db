using System.Collections.Concurrent;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Containers;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Pods;

/// <summary>
/// Makes this host match the pods that are bound to it. Each pod is looked at whenever its object, one of its containers or what its probes say has changed; a plan is made of what is
/// there now, and done. That a pod's object is gone is believed from the server itself only, so that no broken watch ends anything.
/// </summary>
internal sealed partial class PodSync : IDisposable
{
    private const int Workers = 16;

    private readonly PodSyncParts parts;
    private readonly WorkQueue<string> queue;
    private readonly ReconcileLoop<string> loop;
    private readonly ProbeChecks checks;
    private readonly PodProbes probes;
    private readonly PodActor actor;
    private readonly ResourceClient<Pod> pods;
    private readonly ConcurrentDictionary<string, ResourceKey> keys = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, PodVerdict> verdicts = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource closing = new();

    public PodSync(PodSyncParts parts)
    {
        this.parts = parts;
        pods = parts.Client.For<Pod>();
        queue = new WorkQueue<string>(parts.Time, new Backoff(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(30)));
        loop = new ReconcileLoop<string>("pods", queue, ReconcileAsync, parts.Logger);
        checks = new ProbeChecks(EngineRuns.Of(parts.Engine), parts.Time);
        probes = new PodProbes(checks, parts.Time, Wake);
        actor = new PodActor(parts, probes, checks, Wake);
        parts.Cache.Subscribe(change =>
        {
            foreach (var pod in new[] { change.Before, change.After })
            {
                if (pod is not null && pod.Spec.NodeName == parts.Node.Value)
                {
                    keys[pod.Metadata.Uid] = change.Key;
                    Wake(pod.Metadata.Uid);
                }
            }
        });
    }

    /// <summary>Looks at a pod soon.</summary>
    public void Wake(string uid) => queue.Add(uid);

    /// <summary>Decides that a pod shall end for good.</summary>
    public void Condemn(string uid, PodVerdict verdict)
    {
        verdicts.TryAdd(uid, verdict);
        Wake(uid);
    }

    /// <summary>The run of a container that streams are asked of: the last one, or the one before it.</summary>
    /// <returns>Null when there is none.</returns>
    public ContainerSnapshot? FindRun(string uid, string container, bool previous) => parts.Engine.List()
        .Select(each => (Container: each, Read: PodContainers.Read(each)))
        .Where(each => each.Read is { } read && read.Uid == uid && read.Run.Name == container)
        .OrderByDescending(each => each.Read!.Value.Run.Attempt)
        .Skip(previous ? 1 : 0)
        .Select(each => each.Container)
        .FirstOrDefault();

    /// <summary>Runs until cancelled. The engine has adopted what runs.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await parts.Cache.WaitForSyncAsync(stopping);
        foreach (var uid in parts.Engine.List().Select(PodContainers.Read).OfType<(string Uid, PodRun)>().Select(read => read.Uid)
            .Concat(parts.Engine.Sandboxes.List().Select(sandbox => sandbox.Spec.Id)).Concat(parts.Volumes.List()).Distinct(StringComparer.Ordinal))
        {
            Wake(uid);
        }

        await Task.WhenAll(loop.RunAsync(Workers, stopping), FollowEngineAsync(stopping));
    }

    public void Dispose()
    {
        closing.Cancel();
        probes.Dispose();
        checks.Dispose();
        queue.Dispose();
        closing.Dispose();
    }

    internal async Task<NextLook> ReconcileAsync(string uid, CancellationToken stopping)
    {
        var view = await LookAsync(uid, stopping);
        var decision = PodPlan.For(view);
        var pod = (view.Object as PodObject.Present)?.Pod;
        foreach (var step in decision.Steps)
        {
            await DoAsync(uid, pod, view, step, stopping);
        }

        if (view.Object is PodObject.Absent && view.Runs.Count == 0)
        {
            parts.Volumes.Remove(uid);
            keys.TryRemove(uid, out _);
            verdicts.TryRemove(uid, out _);
        }

        var tokens = pod is not null && view.Runs.Any(run => run.IsAlive) ? await actor.RefreshTokensAsync(pod, view.Now, stopping) : null;
        var again = Earlier(Earlier(decision.LookAgainAt, DeadlineOf(pod)), tokens);
        return view.Object is PodObject.Unknown ? NextLook.After(TimeSpan.FromSeconds(5))
            : again is { } at ? NextLook.After(at > view.Now ? at - view.Now : TimeSpan.Zero)
            : NextLook.OnChange;
    }

    private async Task<PodView> LookAsync(string uid, CancellationToken stopping)
    {
        var runs = parts.Engine.List().Select(PodContainers.Read).Where(read => read is { } found && found.Uid == uid).Select(read => read!.Value.Run).OrderBy(run => run.Attempt).ToList();
        var found = await FindAsync(uid, runs, stopping);
        if (found is PodObject.Present { Pod: var pod } && actor.HasSandbox(uid))
        {
            foreach (var run in runs.Where(run => run.IsAlive))
            {
                if (pod.Spec.Containers.Concat(pod.Spec.InitContainers).FirstOrDefault(each => each.Name == run.Name) is { } container)
                {
                    probes.Follow(pod, container, run, actor.AddressOf(pod), isNew: false);
                }
            }
        }

        foreach (var run in runs.Where(run => !run.IsAlive))
        {
            probes.Forget(run.Id);
        }

        var now = parts.Time.GetUtcNow();
        return new PodView
        {
            Object = found,
            Now = now,
            Runs = runs,
            HasSandbox = found is PodObject.Present ? actor.HasSandbox(uid) : parts.Engine.Sandboxes.Find(uid) is not null,
            HostAddress = parts.HostAddress,
            Health = probes.HealthOf(runs),
            Troubles = actor.TroublesOf(uid),
            Ending = actor.Ending,
            Verdict = verdicts.GetValueOrDefault(uid) ?? (DeadlineOf((found as PodObject.Present)?.Pod) <= now ? new PodVerdict("DeadlineExceeded", "Pod was active on the node longer than the specified deadline") : null),
        };
    }

    private async Task<PodObject> FindAsync(string uid, List<PodRun> runs, CancellationToken stopping)
    {
        if (KeyOf(uid, runs) is not { } key)
        {
            return new PodObject.Absent(); // A sandbox or a folder that was left, of which nobody says whose it is.
        }

        if (parts.Cache.Current.Find(key) is { } cached && cached.Metadata.Uid == uid)
        {
            return new PodObject.Present(cached);
        }

        try
        {
            // A pod of this node's, by a list: of another's that has taken the name a node is told nothing.
            var own = new ListOptions { Namespace = key.Namespace, FieldSelector = $"metadata.name={key.Name},spec.nodeName={parts.Node.Value}" };
            return (await pods.ListAsync(own, stopping)).Items is [var asked, ..] && asked.Metadata.Uid == uid ? new PodObject.Present(asked) : new PodObject.Absent();
        }
        catch (Exception error) when (error is ClusterUnreachableException or ApiException)
        {
            Log.CannotAsk(parts.Logger, key, ErrorChain.Describe(error));
            return new PodObject.Unknown();
        }
    }

    private ResourceKey? KeyOf(string uid, List<PodRun> runs)
    {
        if (keys.TryGetValue(uid, out var known))
        {
            return known;
        }

        var labels = runs.Count > 0 ? parts.Engine.Get(runs[0].Id).Spec.Labels : null;
        return labels is null ? null : new ResourceKey(labels.GetValueOrDefault(PodContainers.NamespaceLabel, ""), labels.GetValueOrDefault(PodContainers.PodLabel, ""));
    }

    private async Task DoAsync(string uid, Pod? pod, PodView view, PodStep step, CancellationToken stopping)
    {
        switch (step)
        {
            case PodStep.MakeSandbox:
                await actor.MakeSandboxAsync(pod!, stopping);
                break;
            case PodStep.Start start:
                await actor.StartAsync(pod!, start, stopping);
                break;
            case PodStep.End end:
                actor.End(pod, end, closing.Token);
                break;
            case PodStep.Discard discard:
                await actor.DiscardAsync(discard.Run, stopping);
                break;
            case PodStep.Remove:
                await actor.RemoveAsync(uid, view.Runs, stopping);
                break;
            case PodStep.Publish publish:
                parts.Cache.Observe(await pods.ChangeStatusAsync(pod!, pod! with { Status = publish.Status }, stopping));
                break;
            case PodStep.Release:
                await ReleaseAsync(pod!, stopping);
                break;
            default:
                throw new InvalidOperationException($"The step {step} is not known.");
        }
    }

    /// <summary>Takes the agent's finalizer off, which is what holds a deleted pod in being; a pod that is gone by now needs nothing.</summary>
    private async Task ReleaseAsync(Pod pod, CancellationToken stopping)
    {
        var kept = pod.Metadata.Finalizers.Where(finalizer => finalizer != FinalizerNames.Agent).ToList();
        if (kept.Count == pod.Metadata.Finalizers.Count)
        {
            return;
        }

        try
        {
            await pods.ChangeAsync(pod, pod with { Metadata = pod.Metadata with { Finalizers = kept } }, stopping);
        }
        catch (ApiException gone) when (gone.IsNotFound)
        {
            // Somebody let go of it before us.
        }
    }

    /// <summary>A container's start and end wake its pod.</summary>
    private async Task FollowEngineAsync(CancellationToken stopping)
    {
        try
        {
            await foreach (var happened in parts.Engine.Events.ReadAsync(since: null, until: null, stopping))
            {
                if (happened.Kind == "container" && happened.Attributes.TryGetValue(PodContainers.UidLabel, out var uid))
                {
                    Wake(uid);
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The agent ends.
        }
    }

    private static DateTimeOffset? DeadlineOf(Pod? pod) => pod is { Spec.ActiveDeadlineSeconds: { } seconds, Status: { StartTime: { } start } status } && !PodPhases.IsFinal(status.Phase) ? start.AddSeconds(seconds) : null;

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) => one is null ? other : other is null || one < other ? one : other;

    private static partial class Log
    {
        [LoggerMessage(EventId = 2502, Level = LogLevel.Warning, Message = "Cannot ask the server about pod {Pod}; it runs on as it is: {Reason}")]
        public static partial void CannotAsk(ILogger logger, ResourceKey pod, string reason);
    }
}
