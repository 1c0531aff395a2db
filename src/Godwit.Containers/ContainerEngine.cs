using System.Collections.Concurrent;
using Godwit.Containers.Monitoring;
using Godwit.Containers.Runtime;
using Godwit.Linux.ControlGroups;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Godwit.Networks.Containers;
using Godwit.Volumes.Containers;
using Microsoft.Extensions.Logging;

namespace Godwit.Containers;

/// <summary>
/// The containers of one host. Safe to use from many threads. The engine owns nothing that runs: containers live under monitors of their own, their networks in the kernel, their logs and
/// records on disk. It may end at any moment, in whatever it does; the next one opens the same folders and goes on.
/// <code>
///   ContainerEngine ── by id and name ──▶ Container (an actor each) ──▶ monitor ──▶ crun ──▶ processes
///        │                                     │
///        ├─ Events    ◀────────────────────────┤
///        ├─ Networks  ◀── joins and leaves ────┤
///        └─ Volumes   ◀── uses and releases ───┘
/// </code>
/// A container is named by its id, its name, or the beginning of its id that is no other's. What cannot be done is a <see cref="ContainerException"/>.
/// </summary>
public sealed partial class ContainerEngine : IAsyncDisposable
{
    private const int NameTriesMax = 100;
    private const string UnfinishedReason = "its making was not finished";

    private static readonly TimeSpan KeepingLook = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<ContainerId, Container> containers = new();
    private readonly ConcurrentDictionary<string, ContainerId> names = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource closing;
    private readonly FileLock hold;
    private readonly EngineParts parts;

    private ContainerEngine(EngineParts parts, FileLock hold, CancellationTokenSource closing)
    {
        this.hold = hold;
        this.closing = closing;
        this.parts = parts with { Find = Find };
    }

    public NetworkEngine Networks => parts.Networks;

    public VolumeEngine Volumes => parts.Volumes;

    public EventLog Events => parts.Events;

    public Sandboxes Sandboxes => parts.Sandboxes;

    /// <summary>Whether it can give containers users of their own.</summary>
    public bool HasUserNamespaces => parts.Options.UserIds is not null;

    /// <summary>Opens the folders, and takes over the containers that run.</summary>
    /// <exception cref="InvalidOperationException">Another engine has them, or a newer one wrote them.</exception>
    public static async Task<ContainerEngine> OpenAsync(EngineOptions options, IRootFileSystems roots, TimeProvider time, ILogger log, CancellationToken stopping)
    {
        var containersFolder = Path.Combine(options.DataFolder, "containers");
        Directory.CreateDirectory(containersFolder);
        Directory.CreateDirectory(Path.Combine(options.RunFolder, "containers"));
        var held = FileLock.TryAcquire(Path.Combine(options.DataFolder, "lock")) ?? throw new InvalidOperationException($"another engine uses {options.DataFolder}");
        try
        {
            return await OpenAsync(options, roots, containersFolder, held, time, log, stopping);
        }
        catch
        {
            held.Dispose(); // Whoever tries again, in this process too, shall not meet us.
            throw;
        }
    }

    private static async Task<ContainerEngine> OpenAsync(EngineOptions options, IRootFileSystems roots, string containersFolder, FileLock held, TimeProvider time, ILogger log, CancellationToken stopping)
    {
        DataFormat.Require(options.DataFolder);
        DataFormat.Mark(options.DataFolder);
        if (options.UserIds is { } ids)
        {
            UserNamespaces.OpenWay(options.DataFolder, ids);
        }

        // Before anything is mounted below: what monitors see must come and go with it.
        Mounts.Share(roots.Folder);
        var networks = await NetworkEngine.OpenAsync(
            new NetworkEngineOptions
            {
                Folder = Path.Combine(options.DataFolder, "networks"),
                RunFolder = Path.Combine(options.RunFolder, "names"),
                DevicePrefix = options.DevicePrefix,
                FilterTable = options.FilterTable,
                AddressPools = options.AddressPools,
                HasDefaultNetwork = !options.UsesSandboxes,
            },
            time,
            log,
            stopping);
        var groups = ControlGroupHost.Detect(time);
        var sandboxes = Sandboxes.Open(options, groups, time);
        var monitors = new Monitors(options, time);
        var ending = new CancellationTokenSource();
        var made = new EngineParts
        {
            Options = options,
            Time = time,
            Log = log,
            Host = new HostAbilities
            {
                Rights = ProcessRights.Read(),
                ControlGroupVersion = groups.Version,
                CountsSwap = groups.Version == 2 || File.Exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"),
                InitPath = File.Exists(options.InitPath) ? options.InitPath : null,
            },
            ControlGroups = groups,
            Monitors = monitors,
            Crun = new Crun(options, monitors.Place, time),
            Roots = roots,
            Networks = networks,
            Volumes = VolumeEngine.Open(Path.Combine(options.DataFolder, "volumes"), time),
            Events = new EventLog(time),
            Sandboxes = sandboxes,
            Find = _ => throw new InvalidOperationException("the engine is not open yet"),
            Closing = ending.Token,
        };
        var engine = new ContainerEngine(made, held, ending);
        await engine.AdoptAsync(containersFolder, stopping);
        _ = engine.KeepAsync();
        return engine;
    }

    /// <summary>Every container, the youngest first.</summary>
    public IReadOnlyList<ContainerSnapshot> List() => [.. containers.Values.Select(container => container.Snapshot()).OrderByDescending(container => container.CreatedAt)];

    /// <exception cref="NotThereException">There is none.</exception>
    public ContainerSnapshot Get(string container) => Find(container).Snapshot();

    /// <summary>Makes a container; nothing of it runs. When this returns it survives whatever happens to the engine.</summary>
    /// <param name="name">Null: the engine finds one.</param>
    /// <param name="spec">What it shall be.</param>
    /// <param name="stopping">Cancels; nothing is left then.</param>
    /// <exception cref="ConflictException">The name is taken.</exception>
    /// <exception cref="InvalidRequestException">The spec makes no sense.</exception>
    /// <exception cref="NotThereException">There is no such image or network.</exception>
    public async Task<ContainerId> CreateAsync(string? name, ContainerSpec spec, CancellationToken stopping)
    {
        SpecCheck.Check(spec, parts);
        var id = ContainerId.Generate();
        var taken = TakeName(name, id);
        var record = new ContainerRecord { Id = id, Name = taken, CreatedAt = parts.Time.GetUtcNow(), Spec = spec, State = new ContainerState.Dead(UnfinishedReason) };
        var container = new Container(record, parts) { Removed = Forget };
        try
        {
            Directory.CreateDirectory(container.Folder.Data);
            DurableFile.Replace(container.Folder.Record, record.ToJson());
            await parts.Roots.CreateAsync(id, spec.ImageId, spec.StorageSizeBytes, stopping);
            await File.WriteAllBytesAsync(container.Folder.Log, [], stopping);
            container.ReserveLogRoom();
            container.Save(record with
            {
                State = new ContainerState.Created(),
                Endpoints = ContainerNetworking.Plan(spec, parts.Networks),
                Mounts = MountPlanner.Prepare(id, spec, parts),
            });
        }
        catch
        {
            await parts.Roots.RemoveAsync(id, CancellationToken.None);
            foreach (var volume in spec.Mounts.OfType<MountSpec.Volume>().Where(volume => volume.Anonymous))
            {
                parts.Volumes.TryRemove(volume.Name, id.Value); // Nobody else knows its name.
            }

            parts.Volumes.Release(id.Value);
            Directory.Delete(container.Folder.Data, recursive: true);
            names.TryRemove(taken, out _);
            container.Dispose();
            throw;
        }

        containers[id] = container;
        container.Tell("create");
        return id;
    }

    /// <summary>Lets go of all; containers run on.</summary>
    public async ValueTask DisposeAsync()
    {
        await closing.CancelAsync();
        foreach (var container in containers.Values)
        {
            await container.CloseAsync();
        }

        await ClearHostAsync();
        await parts.Networks.DisposeAsync();
        parts.Monitors.Dispose();
        closing.Dispose();
        hold.Dispose();
    }

    private Container Find(string container)
    {
        var wanted = container.StartsWith('/') ? container[1..] : container;
        if (ContainerId.TryParse(wanted, out var id) && containers.TryGetValue(id, out var found))
        {
            return found;
        }

        if (names.TryGetValue(wanted, out id) && containers.TryGetValue(id, out found))
        {
            return found;
        }

        var matches = wanted.Length > 0 ? containers.Values.Where(one => one.Id.Value.StartsWith(wanted, StringComparison.Ordinal)).Take(2).ToList() : [];
        return matches switch
        {
            [var only] => only,
            [] => throw new NotThereException($"No such container: {container}"),
            _ => throw new ConflictException($"several containers' ids begin with {container}: give more of it"),
        };
    }

    private string TakeName(string? name, ContainerId id)
    {
        if (name is not null)
        {
            var wanted = ContainerNames.Check(name);
            return names.TryAdd(wanted, id)
                ? wanted
                : throw new ConflictException($"The container name \"/{wanted}\" is already in use by container \"{names.GetValueOrDefault(wanted)}\". You have to remove (or rename) that container to be able to reuse that name.");
        }

        for (var attempt = 0; attempt < NameTriesMax; attempt++)
        {
            var generated = ContainerNames.Generate(attempt);
            if (names.TryAdd(generated, id))
            {
                return generated;
            }
        }

        names[id.Short] = id;
        return id.Short;
    }

    private void Forget(Container container)
    {
        containers.TryRemove(container.Id, out _);
        names.TryRemove(container.Name, out _);
    }

    private async Task AdoptAsync(string folder, CancellationToken stopping)
    {
        foreach (var home in Directory.EnumerateDirectories(folder))
        {
            if (ContainerRecord.Read(Path.Combine(home, "container.json")) is { } record && record.Id.Value == Path.GetFileName(home))
            {
                containers[record.Id] = new Container(record, parts) { Removed = Forget };
                names[record.Name] = record.Id;
                foreach (var volume in record.Spec.Mounts.OfType<MountSpec.Volume>())
                {
                    parts.Volumes.Use(volume.Name, record.Id.Value);
                }
            }
            else
            {
                Log.Unreadable(parts.Log, home);
            }
        }

        await parts.Networks.RestoreAsync([.. containers.Values.Where(container => container.State.IsAlive && container.Record.Endpoints.Count > 0).Select(container => ContainerNetworking.Member(container.Record))], stopping);
        foreach (var container in containers.Values.ToList())
        {
            await container.InBackgroundAsync(
                () => container.State is ContainerState.Dead { Reason: UnfinishedReason } ? container.RemoveAsync(new RemoveOptions(Volumes: true), stopping) : container.AdoptAsync(stopping),
                "taking over");
            if (container.Record.Spec.EndsWithEngine)
            {
                await container.InBackgroundAsync(() => container.RemoveAsync(new RemoveOptions(Force: true, Volumes: true), stopping), "removing");
            }
        }
    }

    private async Task KeepAsync()
    {
        using var timer = new PeriodicTimer(KeepingLook, parts.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(closing.Token))
            {
                foreach (var container in containers.Values)
                {
                    await container.InBackgroundAsync(() => container.KeepAsync(closing.Token), "keeping the log or the record");
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The engine ends.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 4101, Level = LogLevel.Error, Message = "{Folder} holds no container's record that can be read: left alone")]
        internal static partial void Unreadable(ILogger log, string folder);
    }
}
