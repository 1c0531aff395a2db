using System.Text;
using System.Text.Json.Nodes;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// A whole cluster from a seed: the real server without its sockets, two processes with all real controllers of which one leads, three nodes, and somebody who keeps changing what is asked for, by the run's
/// theme (<see cref="IClusterTheme"/>). Faults: the leading process is killed in the middle of whatever it does; answers are lost after the deed; watches lag, break, and find the history of what happened meanwhile gone; agents fall silent while their pods run on; hosts lose their
/// power; nodes are removed; the clock jumps. See <see cref="ClusterWorld"/> for what must never be, and <see cref="SimulatedProcess"/> for why a seed repeats its run.
/// </summary>
internal sealed partial class ClusterSimulation : IAsyncDisposable
{
    /// <summary>Time goes on by this much when nobody has anything to do, or has done <see cref="TurnsMax"/> things.</summary>
    private static readonly TimeSpan Quantum = TimeSpan.FromMilliseconds(100);

    private const int TurnsMax = 400;
    private static readonly TimeSpan BookmarkInterval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    /// <summary>By this time after the last faults all is as was asked. The process that leads then looks at everything later than that, so it is what it was told of that must have brought it there.</summary>
    private static readonly TimeSpan SettleBound = Controller<string>.ResyncPeriod - TimeSpan.FromSeconds(90);

    /// <summary>The lease of the process that was killed ends in this time, and another leads.</summary>
    private static readonly TimeSpan TakeOver = TimeSpan.FromSeconds(40);

    private readonly ClusterWorld world;
    private readonly IClusterTheme theme;
    private readonly MutatedAnswers answers;
    private readonly List<SimulatedProcess> processes = [];
    private int born;
    private long forgotten;
    private DateTimeOffset lastBeat;
    private DateTimeOffset lastLook;

    public ClusterSimulation(int seed, string folder, ClusterSubject subject, ClusterMutation mutation = ClusterMutation.None, string? sought = null)
    {
        var clock = new SimulatedClock(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var random = new Random(seed);
        world = new ClusterWorld(random, clock) { Server = SimulatedServer.Start(folder, clock, random), Sought = sought, Mutation = mutation };
        answers = new MutatedAnswers(world.Server, mutation, random);
        theme = subject switch
        {
            ClusterSubject.Guests => new GuestTheme(this),
            ClusterSubject.Evictions => new EvictionTheme(this),
            ClusterSubject.Clocks => new ClockTheme(this),
            _ => new WorkloadTheme(this),
        };
    }

    public ClusterWorld World => world;

    public MutatedAnswers Answers => answers;

    /// <summary>Runs to the end; the answer is the broken invariant, or null.</summary>
    public string? Run(int happenings)
    {
        world.Server.Create(new ConfigMap { Metadata = new ObjectMeta { Namespace = NamespaceNames.KubeSystem, Name = "godwit-network" }, Data = new Dictionary<string, string> { ["cidr"] = "10.77.0.0/24" } });
        foreach (var name in SimulatedServer.NodeNames)
        {
            world.Nodes.Add(new SimulatedNode(name, world.Server, world));
            world.Nodes[^1].Join();
        }

        Bear();
        Bear();
        theme.Ask();
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
        world.IsCalm = false;
        for (var i = 0; i < happenings && !world.IsOver; i++)
        {
            Happen();
            Pass(world.Between(0, world.Chance(0.1) ? 120 : 12));
        }

        Kill();
        Pass(TakeOver);
        Forget();
        world.IsCalm = true;
        Heal();
        Settle();
        theme.Conclude();
    }

    /// <summary>Time passes until all is as was asked, and no more of it than that may take.</summary>
    public void Settle()
    {
        for (var until = world.Now + SettleBound + theme.WaitsLonger; !world.IsOver && theme.Missing() is { } missing;)
        {
            world.Check(world.Now < until, missing.Invariant, () => missing.What);
            Pass(TimeSpan.FromSeconds(5));
        }
    }

    /// <summary>Time passes, in which everybody does what they have to.</summary>
    public void Pass(TimeSpan time)
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

            if (looks && (world.IsCalm || world.Chance(0.8)))
            {
                node.Look();
            }
        }

        if (looks)
        {
            theme.Tend();
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
                news[chosen].NotBefore = !world.IsCalm && world.Chance(0.01) ? world.Now + world.Between(0.1, 5) : DateTimeOffset.MinValue;
                return true;
            }

            chosen -= news.Count;
        }

        throw new InvalidOperationException("The choice was among fewer than were counted.");
    }

    private void Carry(SimulatedProcess process, SentRequest request)
    {
        if (request.IsCancelled)
        {
            if (!request.IsWatch && world.Chance(0.5))
            {
                answers.Answer(request); // It had reached the server.
            }

            request.Cancel();
            return;
        }

        if (!world.IsCalm && world.Chance(0.005))
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
            var (code, body) = answers.Answer(request);
            if (!world.IsCalm && world.Chance(request.IsBinding || request.IsStart ? 0.2 : request.Method == "GET" ? 0.005 : 0.03))
            {
                Break(process, request);
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
        if (watch.Revision < forgotten || (!world.IsCalm && world.Chance(0.05)))
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
