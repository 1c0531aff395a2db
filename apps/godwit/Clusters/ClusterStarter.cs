using System.Net;
using Godwit.App.Roles;
using Godwit.Client;
using Godwit.Linux.Files;
using Godwit.Linux.Networking;
using Godwit.Linux.Processes;
using Godwit.Networks.Labs;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.App.Clusters;

/// <summary>
/// Starts what is not running yet, in the order in which the parts need each other, and waits for each to be of use:
/// network → server answers → nodes are ready. Run again, it mends: what lives is left alone, what died is started anew.
/// The record on disk is written before a process runs, so whatever a start that was killed leaves behind, <c>down</c> finds.
/// </summary>
/// <param name="places">Where the instance keeps its things.</param>
/// <param name="port">Where the API is to be served; null takes the usual port, or a free one where that is taken.</param>
/// <param name="say">Tells the person what is being done.</param>
internal sealed class ClusterStarter(Places places, int? port, Action<string> say)
{
    private static readonly TimeSpan ServerBound = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan NodesBound = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);
    private readonly TimeProvider time = TimeProvider.System;

    public async Task<ClusterRecord> StartLabAsync(int nodes, LinkRate rate, CancellationToken stopping)
    {
        CheckAskedPort();
        using var only = Lock();
        var record = await LoadMatchingAsync(nodes, stopping) ?? Fresh(nodes);
        var lab = new LabNetwork(places.Instance, LabNetwork.ChooseSubnet(places.Instance));
        (record = record with { LinkRate = rate.ToString() }).Save(places);
        lab.Ensure(nodes, rate);
        record = await StartProcessesAsync(record, ClusterPlan.ForLab(places, lab, nodes, record.Port), stopping);
        await WaitForNodesAsync(record, nodes, stopping);
        return record;
    }

    public async Task<ClusterRecord> StartOneHostAsync(string nodeName, CancellationToken stopping)
    {
        CheckAskedPort();
        using var only = Lock();
        var record = await LoadMatchingAsync(0, stopping) ?? Fresh(0);
        record.Save(places);
        record = await StartProcessesAsync(record, ClusterPlan.ForOneHost(places, record.Port, nodeName), stopping);
        await WaitForNodesAsync(record, 1, stopping);
        return record;
    }

    private ClusterRecord Fresh(int nodes) => new()
    {
        Instance = places.Instance,
        DataFolder = places.DataFolder,
        ImagesFolder = places.ImagesFolder,
        LabNodes = nodes,
        Port = ChoosePort(),
    };

    private FileLock Lock()
    {
        Directory.CreateDirectory(places.RunFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return FileLock.TryAcquire(Path.Combine(places.RunFolder, "lock"))
            ?? throw new ClusterException("Another 'godwit up' or 'godwit down' of this instance is at work: wait for it to end");
    }

    private Task<ClusterRecord?> LoadMatchingAsync(int nodes, CancellationToken stopping)
    {
        stopping.ThrowIfCancellationRequested();
        var record = ClusterRecord.Load(places);
        if (record is not null && record.LabNodes != nodes)
        {
            var there = record.LabNodes == 0 ? "a cluster on this host" : $"a lab of {record.LabNodes} nodes";
            throw new ClusterException($"There is {there} up already: take it down first ('godwit down'), or start another beside it with --instance NAME");
        }

        if (record is not null && port is { } asked && asked != record.Port)
        {
            throw new ClusterException($"It is up already with its API on port {record.Port}: to have it on {asked}, take it down first ('godwit down')");
        }

        return Task.FromResult(record);
    }

    private async Task<ClusterRecord> StartProcessesAsync(ClusterRecord record, IReadOnlyList<PlannedProcess> plan, CancellationToken stopping)
    {
        var launcher = new ProcessLauncher(time);
        foreach (var planned in plan)
        {
            if (record.FindLiving(planned.Name) is { } running)
            {
                running.Dispose();
            }
            else
            {
                record = await StartAsync(launcher, record, planned, stopping);
            }

            if (planned.Name == ClusterPlan.ServerName)
            {
                await WaitForServerAsync(record, stopping);
            }
        }

        return record;
    }

    private async Task<ClusterRecord> StartAsync(ProcessLauncher launcher, ClusterRecord record, PlannedProcess planned, CancellationToken stopping)
    {
        say($"starting {planned.Name}");
        var log = places.LogPath(planned.Name);
        Directory.CreateDirectory(Path.GetDirectoryName(log)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var program = Environment.ProcessPath ?? throw new ClusterException("This program's own path is unknown: is /proc mounted?");
        var next = record;
        var launch = new ProcessLaunch
        {
            Program = planned.NamespaceName is null ? program : "/usr/bin/nsenter",
            Arguments = planned.NamespaceName is null ? planned.Arguments : [$"--net=/run/netns/{planned.NamespaceName}", "--", program, .. planned.Arguments],
            OutputPath = log,
            NoNewPrivileges = false, // It starts guests under users of their own and writes rules: that is its job.
        };
        using var process = await launcher.LaunchAsync(
            launch,
            identity => (next = record.With(new ProcessRecord(planned.Name, identity.ToString(), log))).Save(places),
            stopping);
        return next;
    }

    private async Task WaitForServerAsync(ClusterRecord record, CancellationToken stopping)
    {
        await WaitAsync("the server answers", record, ServerBound, async () =>
        {
            if (!File.Exists(places.KubeconfigPath))
            {
                return false;
            }

            using var cluster = Connect();
            return await cluster.For<Api.Core.V1.Namespace>().FindAsync(new ResourceKey("", "default"), stopping) is not null;
        }, stopping);
    }

    private async Task WaitForNodesAsync(ClusterRecord record, int nodes, CancellationToken stopping)
    {
        using var cluster = Connect();
        var said = 0;
        await WaitAsync($"{(nodes == 1 ? "the node is" : $"{nodes} nodes are")} ready (at first a node tries out what runs guests, which may take half a minute)", record, NodesBound, async () =>
        {
            var list = await cluster.For<Api.Core.V1.Node>().ListAsync(new ListOptions(), stopping);
            var ready = list.Items.Count(node => node.Status.Conditions.Any(condition => condition is { Type: "Ready", Status: "True" }));
            if (ready != said)
            {
                say($"{ready} of {nodes} nodes ready");
                said = ready;
            }

            return ready >= nodes;
        }, stopping);
    }

    private ClusterClient Connect() => new(Kubeconfig.Load(places.KubeconfigPath), time, NullLogger<ClusterClient>.Instance);

    // A process of ours that ends while we wait will not become ready: its last words are the answer.
    private async Task WaitAsync(string what, ClusterRecord record, TimeSpan bound, Func<Task<bool>> look, CancellationToken stopping)
    {
        var (deadline, quietUntil) = (time.GetUtcNow() + bound, time.GetUtcNow() + SilenceMax);
        Exception? last = null;
        while (time.GetUtcNow() < deadline)
        {
            try
            {
                if (await look())
                {
                    return;
                }
            }
            catch (Exception error) when (error is ApiException or ClusterUnreachableException or KubeconfigException or IOException)
            {
                last = error;
            }

            if (record.FindDead() is { } dead)
            {
                throw new ClusterException($"{dead.Name} ended before {what}. Its last words ({dead.LogPath}):\n{LastLines(dead.LogPath)}");
            }

            if (time.GetUtcNow() > quietUntil)
            {
                say($"waiting until {what}");
                quietUntil = DateTimeOffset.MaxValue;
            }

            await Task.Delay(Look, time, stopping);
        }

        var message = $"After {bound.TotalSeconds:0} s it is still not so that {what}. Look into {places.LogsFolder}, or take it down with 'godwit down'";
        throw last is null ? new ClusterException(message) : new ClusterException(message, last);
    }

    private static string LastLines(string path)
    {
        const int LinesMax = 8;
        return File.Exists(path) ? string.Join('\n', File.ReadLines(path).TakeLast(LinesMax).Select(line => "  " + line)) : "  (nothing)";
    }

    // Before anything is touched; when something is up already, its port is its own.
    private void CheckAskedPort()
    {
        if (port is { } asked && ClusterRecord.Load(places) is null)
        {
            Door.MustBeFree(new Door("godwit up", "the API", new IPEndPoint(IPAddress.Any, asked), "--port"));
        }
    }

    /// <summary>
    /// The port that was asked for; else the usual one, or a free one when something else has it. The usual one is the default
    /// instance's alone: two instances that start at once would both find it free.
    /// </summary>
    private int ChoosePort()
    {
        if (port is { } asked)
        {
            return asked;
        }

        var isDefault = places.Instance == Places.DefaultInstance;
        if (isDefault && ListeningPort.TryBind(IPAddress.Any, Commands.ServerCommand.PortDefault) is { } usual)
        {
            return usual;
        }

        var free = ListeningPort.FindFree(IPAddress.Any) ?? throw new ClusterException("No TCP port is free for the API: end something, or name one with --port");
        if (!isDefault)
        {
            return free;
        }

        say($"port {Commands.ServerCommand.PortDefault} is taken by something else on this host: the API gets port {free}");
        return free;
    }
}
