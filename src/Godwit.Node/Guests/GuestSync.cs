using System.Collections.Concurrent;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Volumes;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Guests;

/// <summary>What the guests' reconciler works with.</summary>
internal sealed record GuestSyncParts
{
    public required NodeName Node { get; init; }

    public required ResourceClient<VirtualMachineInstance> Instances { get; init; }

    public required ResourceCache<VirtualMachineInstance> Cache { get; init; }

    public required EventRecorder Events { get; init; }

    public required LocalMachines Machines { get; init; }

    public required IncarnationJournal Journal { get; init; }

    public required IHandoverRecords Handovers { get; init; }

    public required GuestBuilder Builder { get; init; }

    public required IGuestNetwork Network { get; init; }

    public required UsageSampler Usage { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Logger { get; init; }
}

/// <summary>
/// Makes this host's machines match the API, one guest at a time by its id: looks at everything, asks
/// <see cref="GuestPlan"/> what to do, does it. Whatever wakes it (a watch, QEMU, the journal, the clock) wakes it with
/// the id alone. While the server is away guests run on and ends are recorded; what must be told is told later.
/// </summary>
internal sealed partial class GuestSync : IDisposable
{
    private const int Workers = 4;

    private static readonly TimeSpan UsageInterval = TimeSpan.FromSeconds(30);

    private readonly GuestSyncParts parts;
    private readonly WorkQueue<MachineId> queue;
    private readonly ReconcileLoop<MachineId> loop;
    private readonly GuestShutdowns shutdowns;
    private readonly StartRetries retries;
    private readonly GuestSuspensions suspensions;
    private readonly ConcurrentDictionary<MachineId, ResourceKey> keys = new();

    public GuestSync(GuestSyncParts parts)
    {
        this.parts = parts;
        queue = new WorkQueue<MachineId>(parts.Time, new Backoff(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(30)));
        loop = new ReconcileLoop<MachineId>("guests", queue, ReconcileAsync, parts.Logger);
        shutdowns = new GuestShutdowns(parts.Time, Wake, parts.Logger);
        retries = new StartRetries(parts.Time);
        suspensions = new GuestSuspensions(parts, Wake);
        parts.Machines.Subscribe(Wake);
        parts.Handovers.Subscribe(Wake);
        parts.Cache.Subscribe(change =>
        {
            foreach (var instance in new[] { change.Before, change.After })
            {
                if (instance is not null && TryGetId(instance, out var id))
                {
                    keys[id] = change.Key;
                    Wake(id);
                }
            }
        });
    }

    /// <summary>Looks at a guest soon.</summary>
    public void Wake(MachineId id) => queue.Add(id);

    /// <summary>Runs until cancelled. The machines have been adopted before.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await parts.Cache.WaitForSyncAsync(stopping);
        foreach (var id in parts.Machines.All.Select(machine => machine.Spec.Id).Concat(parts.Journal.All.Select(record => record.Id)))
        {
            Wake(id);
        }

        await loop.RunAsync(Workers, stopping);
        await shutdowns.StopAsync();
        await suspensions.StopAsync();
    }

    public void Dispose()
    {
        suspensions.Dispose();
        shutdowns.Dispose();
        queue.Dispose();
    }

    internal async Task<NextLook> ReconcileAsync(MachineId id, CancellationToken stopping)
    {
        var view = await LookAsync(id, stopping);
        var steps = GuestPlan.For(view);
        foreach (var step in steps)
        {
            await DoAsync(id, view, step, stopping);
        }

        if (view.Object is GuestObject.Absent && view is { Machine: null, Record: null })
        {
            keys.TryRemove(id, out _);
            retries.Forget(id);
            suspensions.Forget(id);
            parts.Builder.Images.Forget(id);
            return NextLook.OnChange;
        }

        return view.StartNotBefore > view.Now ? NextLook.After(view.StartNotBefore.Value - view.Now)
            : steps.Any(step => step is GuestStep.Start or GuestStep.Remove) ? NextLook.After(TimeSpan.Zero)
            : view is { Machine: not null } or { Object: GuestObject.Unknown, Record: not null } ? NextLook.After(UsageInterval)
            : NextLook.OnChange;
    }

    private async Task<GuestView> LookAsync(MachineId id, CancellationToken stopping)
    {
        var machine = parts.Machines.Find(id);
        var record = parts.Journal.Find(id);
        return new GuestView
        {
            Node = parts.Node,
            Now = parts.Time.GetUtcNow(),
            Claim = parts.Handovers.ClaimOn(id),
            IsRefused = parts.Handovers.IsRefused(id),
            Machine = machine is null ? null : new MachineView(machine.RunState, machine.RunStateReason, machine.Spec.MachineType),
            Record = record,
            StartNotBefore = retries.NotBefore(id) ?? suspensions.NotBefore(id),
            IsFetching = parts.Builder.Images.IsFetching(id),
            IsBetween = suspensions.IsUnderWay(id),
            SuspensionTrouble = suspensions.TroubleOf(id),
            Usage = parts.Usage.Find(id),
            Object = await FindObjectAsync(id, machine, record, stopping),
        };
    }

    /// <summary>From the cache; that an object is gone is believed only from the server itself.</summary>
    private async Task<GuestObject> FindObjectAsync(MachineId id, IMachine? machine, Incarnation? record, CancellationToken stopping)
    {
        if (KeyOf(id, machine, record) is not { } key)
        {
            return new GuestObject.Unknown();
        }

        if (parts.Cache.Current.Find(key) is { } cached && IsOf(cached, id))
        {
            return new GuestObject.Present(cached);
        }

        if (machine is null && record is null)
        {
            return new GuestObject.Absent(); // Nothing of it is here, so nothing can be done wrong.
        }

        try
        {
            var found = await parts.Instances.FindAsync(key, stopping);
            return found is not null && IsOf(found, id) ? new GuestObject.Present(found) : new GuestObject.Absent();
        }
        catch (ClusterUnreachableException error)
        {
            Log.CannotAsk(parts.Logger, key, ErrorChain.Describe(error));
            return new GuestObject.Unknown();
        }
        catch (ApiException error)
        {
            Log.CannotAsk(parts.Logger, key, ErrorChain.Describe(error));
            return new GuestObject.Unknown();
        }
    }

    private ResourceKey? KeyOf(MachineId id, IMachine? machine, Incarnation? record)
    {
        if (keys.TryGetValue(id, out var known))
        {
            return known;
        }

        if (record is { GuestName.Length: > 0 })
        {
            return new ResourceKey(record.GuestNamespace, record.GuestName);
        }

        return machine?.Spec.DisplayName.Split('/') is [{ Length: > 0 } guestNamespace, { Length: > 0 } name] ? new ResourceKey(guestNamespace, name) : null;
    }

    private async Task DoAsync(MachineId id, GuestView view, GuestStep step, CancellationToken stopping)
    {
        var instance = (view.Object as GuestObject.Present)?.Instance;
        switch (step)
        {
            case GuestStep.ClaimObject:
                await ChangeAsync(instance!, Claim(instance!), stopping);
                break;
            case GuestStep.Start:
                await StartAsync(id, instance!, stopping);
                break;
            case GuestStep.RecordStart:
                parts.Journal.Write(new Incarnation.Started(id, instance!.Metadata.Namespace, instance.Metadata.Name));
                break;
            case GuestStep.RecordEnd { Outcome: var outcome }:
                parts.Journal.Write(new Incarnation.Ended(id, instance!.Metadata.Namespace, instance.Metadata.Name, outcome));
                break;
            case GuestStep.ShutDown { Grace: var grace }:
                shutdowns.Begin(parts.Machines.Find(id), grace);
                break;
            case GuestStep.Suspend or GuestStep.CallOffSuspend or GuestStep.Wake:
                suspensions.Begin(id, instance!, step);
                break;
            case GuestStep.EndProcess:
                await (parts.Machines.Find(id)?.StopAsync(TimeSpan.Zero, stopping) ?? Task.CompletedTask);
                await parts.Network.UnplugAsync(id, stopping);
                break;
            case GuestStep.Remove:
                await parts.Builder.DemolishAsync(id, stopping);
                parts.Usage.Forget(id);
                break;
            case GuestStep.ForgetRecord:
                parts.Journal.Forget(id);
                break;
            case GuestStep.ReleaseObject:
                await ReleaseAsync(instance!, stopping);
                break;
            case GuestStep.PublishStatus { Status: var status }:
                await PublishAsync(instance!, status, stopping);
                break;
            case GuestStep.Report { IsWarning: var isWarning, Reason: var reason, Message: var message }:
                parts.Events.Record(instance!, isWarning ? EventTypes.Warning : EventTypes.Normal, reason, message);
                break;
            case GuestStep.EndMove { Reason: var why }:
                parts.Handovers.RequestEnd(id, why);
                break;
            default:
                throw new InvalidOperationException($"The step {step} is not known.");
        }
    }

    /// <summary>Whether what the guest boots from is here. When it is not, it is being fetched, the object says so, and the guest is looked at again at the end of that.</summary>
    private async Task<bool> HasImagesAsync(VirtualMachineInstance instance, CancellationToken stopping)
    {
        var (standing, names) = await parts.Builder.WantImagesAsync(instance, Wake, stopping);
        switch (standing)
        {
            case ImageStanding.Begun:
                var words = $"The guest waits for its images, which are being fetched: {names}.";
                parts.Events.Record(instance, EventTypes.Normal, "Pulling", words);
                await PublishAsync(
                    parts.Cache.Current.Find(ResourceKey.Of(instance)) ?? instance, GuestStatus.NotSynchronized(instance, "Pulling", words, parts.Time.GetUtcNow()), stopping);
                return false;
            case ImageStanding.UnderWay:
                return false;
            case ImageStanding.Fetched:
                parts.Events.Record(instance, EventTypes.Normal, "Pulled", $"The guest's images are here: {names}.");
                return true;
            default:
                return true;
        }
    }

    /// <summary>
    /// Build, record, admit, run: in that order. After the record this incarnation never boots again here; before it,
    /// nothing of the guest has run.
    /// </summary>
    private async Task StartAsync(MachineId id, VirtualMachineInstance instance, CancellationToken stopping)
    {
        try
        {
            if (!await HasImagesAsync(instance, stopping))
            {
                return;
            }

            var built = await parts.Builder.BuildAsync(instance, MachineStart.Boot, stopping);
            parts.Journal.Write(new Incarnation.Started(id, instance.Metadata.Namespace, instance.Metadata.Name));
            foreach (var port in built.Ports)
            {
                await parts.Network.AdmitAsync(port, stopping);
            }

            if (instance.Spec.StartStrategy != GuestStatus.StartPaused)
            {
                await built.Machine.ResumeAsync(stopping);
            }

            retries.Forget(id);
        }
        catch (UnsupportedGuestException error)
        {
            var outcome = new GuestOutcome(Succeeded: false, "Unsupported", error.Message);
            parts.Journal.Write(new Incarnation.Ended(id, instance.Metadata.Namespace, instance.Metadata.Name, outcome));
            parts.Events.Record(instance, EventTypes.Warning, outcome.Reason, outcome.Message);
            Wake(id);
        }
        catch (Exception error) when (error is MachineException or VolumeException or GuestImageException or Linux.LinuxException or IOException)
        {
            var (why, reason) = (ErrorChain.Describe(error), (error as GuestImageException)?.Reason ?? "CannotStart");
            retries.Note(id);
            Log.CannotStart(parts.Logger, ResourceKey.Of(instance), why);
            parts.Events.Record(instance, EventTypes.Warning, reason, why);
            await PublishAsync(
                parts.Cache.Current.Find(ResourceKey.Of(instance)) ?? instance,
                GuestStatus.NotSynchronized(instance, reason, why, parts.Time.GetUtcNow()),
                stopping); // It is looked at again at once, and tried again later and later.
        }
    }

    private VirtualMachineInstance Claim(VirtualMachineInstance instance)
    {
        var labels = new Dictionary<string, string>(instance.Metadata.Labels, StringComparer.Ordinal) { [LabelNames.NodeName] = parts.Node.Value };
        var finalizers = instance.Metadata.Finalizers.Contains(FinalizerNames.Agent)
            ? instance.Metadata.Finalizers
            : [.. instance.Metadata.Finalizers, FinalizerNames.Agent];

        // It came from another node: what was to be so until then is over.
        var arrived = instance.Metadata.Labels.ContainsKey(LabelNames.NodeName) && instance.Metadata.Annotations.GetValueOrDefault(AnnotationNames.Suspend) == Suspensions.UntilMoved;
        var annotations = arrived ? instance.Metadata.Annotations.Where(pair => pair.Key != AnnotationNames.Suspend).ToDictionary(StringComparer.Ordinal) : instance.Metadata.Annotations;
        return instance with { Metadata = instance.Metadata with { Labels = labels, Finalizers = finalizers, Annotations = annotations } };
    }

    private async Task ReleaseAsync(VirtualMachineInstance instance, CancellationToken stopping)
    {
        var current = Newest(instance);
        var released = current with { Metadata = current.Metadata with { Finalizers = [.. current.Metadata.Finalizers.Where(name => name != FinalizerNames.Agent)] } };
        await parts.Instances.ChangeAsync(current, released, stopping); // Not observed: the answer is an object that is gone.
    }

    private async Task ChangeAsync(VirtualMachineInstance before, VirtualMachineInstance after, CancellationToken stopping) =>
        parts.Cache.Observe(await parts.Instances.ChangeAsync(before, after, stopping));

    private async Task PublishAsync(VirtualMachineInstance instance, VirtualMachineInstanceStatus status, CancellationToken stopping)
    {
        var current = Newest(instance);
        parts.Cache.Observe(await parts.Instances.ChangeStatusAsync(current with { Status = instance.Status }, current with { Status = status }, stopping));
    }

    /// <summary>The object with the revision that our own last write gave it, so that one plan's steps do not race each other.</summary>
    private VirtualMachineInstance Newest(VirtualMachineInstance instance) =>
        parts.Cache.Current.Find(ResourceKey.Of(instance)) is { } cached && cached.Metadata.Uid == instance.Metadata.Uid && GuestStatus.SaysTheSame(cached.Status, instance.Status)
            ? cached
            : instance;

    private static bool IsOf(VirtualMachineInstance instance, MachineId id) => TryGetId(instance, out var own) && own == id;

    private static bool TryGetId(VirtualMachineInstance instance, out MachineId id)
    {
        var isGuid = Guid.TryParseExact(instance.Metadata.Uid, "D", out var value);
        id = new MachineId(value);
        return isGuid;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2122, Level = LogLevel.Warning, Message = "Guest {Guest} could not be started, it will be tried again: {Reason}")]
        public static partial void CannotStart(ILogger logger, ResourceKey guest, string reason);

        [LoggerMessage(EventId = 2121, Level = LogLevel.Warning, Message = "Cannot ask the server about guest {Guest}; it runs on as it is: {Reason}")]
        public static partial void CannotAsk(ILogger logger, ResourceKey guest, string reason);
    }
}
