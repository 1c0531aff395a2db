using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// A whole cluster from a seed: the real server without its sockets, two processes with all real controllers of which one leads, three nodes, and somebody who keeps changing what is asked for. Faults:
/// the leading process is killed in the middle of whatever it does; answers are lost after the deed; watches lag, break, and find the history of what happened meanwhile gone; agents fall silent while their pods run on; hosts lose their
/// power; nodes are removed; the clock jumps. See <see cref="ClusterWorld"/> for what must never be, and <see cref="SimulatedProcess"/> for why a seed repeats its run.
/// </summary>
internal sealed class ClusterSimulation : IAsyncDisposable
{
    /// <summary>Time goes on by this much when nobody has anything to do, or has done <see cref="TurnsMax"/> things.</summary>
    private static readonly TimeSpan Quantum = TimeSpan.FromMilliseconds(100);

    private const int TurnsMax = 400;
    private const int DeletedAtOnce = 4;
    private static readonly TimeSpan BookmarkInterval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    /// <summary>By this time after the last faults all is as was asked. The process that leads then looks at everything later than that, so it is what it was told of that must have brought it there.</summary>
    private static readonly TimeSpan SettleBound = Controller<string>.ResyncPeriod - TimeSpan.FromSeconds(90);

    /// <summary>The lease of the process that was killed ends in this time, and another leads.</summary>
    private static readonly TimeSpan TakeOver = TimeSpan.FromSeconds(40);

    private readonly ClusterWorld world;
    private readonly ClusterWishes wishes;
    private readonly List<SimulatedProcess> processes = [];
    private bool isCalm = true;
    private int born;
    private long forgotten;
    private DateTimeOffset lastBeat;
    private DateTimeOffset lastLook;

    public ClusterSimulation(int seed, string folder)
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var random = new Random(seed);
        world = new ClusterWorld(random, clock) { Server = SimulatedServer.Start(folder, clock, random) };
        wishes = new ClusterWishes(world);
    }

    public ClusterWorld World => world;

    /// <summary>Runs to the end; the answer is the broken invariant, or null.</summary>
    public string? Run(int happenings)
    {
        world.Server.Create(new ConfigMap { Metadata = new ObjectMeta { Namespace = NamespaceNames.KubeSystem, Name = "godwit-network" }, Data = new Dictionary<string, string> { ["cidr"] = "10.77.0.0/24" } });
        foreach (var name in new[] { "node-1", "node-2", "node-3" })
        {
            world.Nodes.Add(new SimulatedNode(name, world.Server, world));
            world.Nodes[^1].Join();
        }

        Bear();
        Bear();
        wishes.Ask();
        try
        {
            Live(happenings);
        }
        catch (Exception) when (world.Violation is not null)
        {
            // What is broken may break the simulation too; the violation is what is told.
        }

        return world.Violation;
    }

    public ValueTask DisposeAsync() => world.Server.DisposeAsync();

    private void Live(int happenings)
    {
        isCalm = false;
        for (var i = 0; i < happenings && !world.IsOver; i++)
        {
            Happen();
            Pass(world.Between(0, world.Chance(0.1) ? 120 : 12));
        }

        Kill();
        Pass(TakeOver);
        Forget();
        isCalm = true;
        Heal();
        for (var until = world.Now + SettleBound; !world.IsOver && wishes.Missing() is { Length: > 0 } missing;)
        {
            world.Check(world.Now < until, "AsAsked", () => missing);
            Pass(TimeSpan.FromSeconds(5));
        }
    }

    private void Happen()
    {
        var node = world.Nodes[world.Random.Next(world.Nodes.Count)];
        switch (world.Random.Next(14))
        {
            case 0 or 1:
                node.IsSilent = !node.IsSilent;
                Tell("silence", $"{node.Name} is {(node.IsSilent ? "silent" : "heard of")}");
                break;
            case 2:
                node.LosePower();
                Tell("power", $"{node.Name} has lost its power");
                break;
            case 3 when node.IsSilent:
                node.LosePower();
                world.Server.Delete<Node>("", node.Name);
                Tell("removal", $"{node.Name} is removed, and off");
                break;
            case 3 or 4:
                var isCordoned = world.Chance(0.5);
                world.Server.TryPatch<Node>("", node.Name, new JsonObject { ["spec"] = new JsonObject { ["unschedulable"] = isCordoned } });
                Tell("cordon", $"{node.Name} is {(isCordoned ? "cordoned" : "uncordoned")}");
                break;
            case 5 or 6:
                Kill();
                break;
            case 7:
                foreach (var watch in processes.SelectMany(process => process.Watches).Where(_ => world.Chance(0.7)))
                {
                    watch.Lines.End(new IOException("the connection broke"));
                }

                Tell("cut", "watches break");
                break;
            case 8:
                foreach (var watch in processes.SelectMany(process => process.Watches).Where(_ => world.Chance(0.3)))
                {
                    watch.NotBefore = world.Now + world.Between(1, 20);
                }

                Tell("lag", "watches lag");
                break;
            case 9:
                Tell("jump", "seven minutes pass at once");
                world.Clock.Advance(TimeSpan.FromMinutes(7));
                break;
            case 10:
                Forget();
                break;
            default:
                wishes.Change();
                break;
        }

        world.Observe();
    }

    private void Tell(string kind, string what)
    {
        world.Seen.Add(kind);
        world.Log(what);
    }

    /// <summary>Watches break, pods are deleted and go, and when the watches are opened again the history of that is gone: that they went is to be seen by the list alone.</summary>
    private void Forget()
    {
        Tell("forgotten", "watches break, and what happens until they are opened again is forgotten");
        foreach (var watch in processes.SelectMany(process => process.Watches))
        {
            watch.Lines.End(new IOException("the connection broke"));
        }

        var there = world.Pods.Values.Where(pod => pod.Metadata.DeletionTimestamp is null).ToArray();
        world.Random.Shuffle(there);
        foreach (var pod in there.Take(DeletedAtOnce))
        {
            world.Log($"{pod.Metadata.Name} is deleted");
            world.Server.Delete<Pod>(pod.Metadata.Namespace!, pod.Metadata.Name);
            world.Observe();
        }

        foreach (var node in world.Nodes.Where(node => !node.IsSilent))
        {
            node.Look(); // They end,
            node.Look(); // and are let go.
        }

        forgotten = world.Server.Revision;
    }

    private void Heal()
    {
        world.Log("all faults are over");
        foreach (var node in world.Nodes)
        {
            node.IsSilent = false;
            node.Beat();
            world.Server.TryPatch<Node>("", node.Name, new JsonObject { ["spec"] = new JsonObject { ["unschedulable"] = false } });
        }
    }

    /// <summary>The process that leads, if one does, is no more; another is started and waits for its turn.</summary>
    private void Kill()
    {
        var victim = processes.Find(process => process.Host.IsLeading) ?? processes[0];
        Tell(victim.Requests.Count > 0 ? "killed while asking" : "killed", $"{victim.Name} is killed");
        victim.Kill();
        processes.Remove(victim);
        Bear();
    }

    private void Bear() => processes.Add(new SimulatedProcess($"controllers-{++born}", world.Clock, world.Random, error => world.Check(false, "NothingStrays", () => error.ToString())));

    /// <summary>Time passes, in which everybody does what they have to.</summary>
    private void Pass(TimeSpan time)
    {
        for (var until = world.Now + time; world.Now < until && !world.IsOver;)
        {
            for (var turn = 0; turn < TurnsMax && Turn(); turn++)
            {
            }

            world.Observe();
            world.Clock.Advance(Quantum);
            Tend();
            var strayed = processes.Find(process => process.Tasks.Strayed is not null)?.Tasks.Strayed;
            world.Check(strayed is null, "NothingStrays", () => strayed!);
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
        }
    }

    private void Tend()
    {
        foreach (var process in processes)
        {
            foreach (var watch in process.Watches)
            {
                if (watch.Lines.IsCancelled)
                {
                    watch.Lines.End(new OperationCanceledException());
                }
                else if (world.Now - watch.Opened >= ResourceClient<Pod>.WatchDuration)
                {
                    watch.Lines.End();
                }
                else if (world.Now - watch.Heard >= BookmarkInterval && world.Now >= watch.NotBefore && !watch.HasNews(world.Now))
                {
                    watch.Bookmark(world.Now);
                }
            }

            process.Watches.RemoveAll(watch => watch.Lines.HasEnded);
        }

        var (beats, looks) = (world.Now - lastBeat >= SimulatedNode.BeatInterval, world.Now - lastLook >= LookInterval);
        (lastBeat, lastLook) = (beats ? world.Now : lastBeat, looks ? world.Now : lastLook);
        foreach (var node in world.Nodes.Where(node => !node.IsSilent))
        {
            if (beats)
            {
                node.Beat();
            }

            if (looks && (isCalm || world.Chance(0.8)))
            {
                node.Look();
            }
        }

        world.Observe();
    }

    /// <summary>One thing is done, whichever of those that can be; false when there is none.</summary>
    private bool Turn()
    {
        var count = processes.Sum(process => process.Tasks.Count + process.Requests.Count + process.Watches.Count(watch => watch.HasNews(world.Now)));
        if (count == 0)
        {
            return false;
        }

        var chosen = world.Random.Next(count);
        foreach (var process in processes)
        {
            if (chosen < process.Tasks.Count)
            {
                process.Tasks.Run(chosen);
                return true;
            }

            chosen -= process.Tasks.Count;
            if (chosen < process.Requests.Count)
            {
                var request = process.Requests[chosen];
                process.Requests.RemoveAt(chosen);
                Carry(process, request);
                return true;
            }

            chosen -= process.Requests.Count;
            var news = process.Watches.Where(watch => watch.HasNews(world.Now)).ToList();
            if (chosen < news.Count)
            {
                news[chosen].Tell(world.Now);
                news[chosen].NotBefore = !isCalm && world.Chance(0.01) ? world.Now + world.Between(0.1, 5) : DateTimeOffset.MinValue;
                return true;
            }

            chosen -= news.Count;
        }

        throw new InvalidOperationException("The choice was among fewer than were counted.");
    }

    private void Carry(SimulatedProcess process, SentRequest request)
    {
        if (request.Answer.Task.IsCompleted && world.Chance(0.5))
        {
            return; // Nobody waits for it any more, and it has not reached the server.
        }

        if (!isCalm && world.Chance(0.005))
        {
            world.Seen.Add("lost");
            request.Lose();
        }
        else if (request.IsWatch)
        {
            Watch(process, request);
        }
        else
        {
            var (code, body) = world.Server.Answer(request.Method, request.Path, request.Body, request.ContentType);
            if (!isCalm && world.Chance(0.005))
            {
                world.Seen.Add("broken");
                request.Break();
            }
            else
            {
                request.Complete(code, new ByteArrayContent(body));
            }
        }
    }

    private void Watch(SimulatedProcess process, SentRequest request)
    {
        var watch = new OpenWatch(world.Server, request.Path, world.Now);
        if (watch.Revision < forgotten || (!isCalm && world.Chance(0.05)))
        {
            world.Seen.Add("expired");
            watch.Lines.Tell(Encoding.UTF8.GetBytes("""{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}}""" + "\n"));
            watch.Lines.End();
        }
        else
        {
            process.Watches.Add(watch);
        }

        request.Complete(200, new StreamContent(watch.Lines));
    }
}
