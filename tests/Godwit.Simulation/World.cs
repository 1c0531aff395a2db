using System.Globalization;

namespace Godwit.Simulation;

/// <summary>One run's clock, chance and story: everything random or timed comes from here, so a seed repeats a run exactly.</summary>
internal sealed class World(int seed, bool keepsLog)
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch;

    private readonly PriorityQueue<Action, (long At, long Order)> events = new();
    private readonly List<string> log = [];
    private long order;

    public Random Random { get; } = new(seed);

    public DateTimeOffset Now { get; private set; } = Start;

    public TimeSpan Elapsed => Now - Start;

    /// <summary>The first broken invariant, by name.</summary>
    public string? Violation { get; private set; }

    public string Story => string.Join('\n', log);

    /// <summary>Which of several moves acts now, for the story: what it schedules is its own too.</summary>
    public string Member { get; set; } = "";

    public void After(TimeSpan delay, Action action)
    {
        var member = Member;
        events.Enqueue(
            () =>
            {
                Member = member;
                action();
            },
            ((Now + delay).Ticks, order++));
    }

    /// <summary>Runs what is due until the time is over, the condition holds or an invariant breaks.</summary>
    public void Run(TimeSpan until, Func<bool> done)
    {
        while (Violation is null && !done() && events.TryPeek(out _, out var next) && next.At <= (Start + until).Ticks)
        {
            var action = events.Dequeue();
            Now = new(next.At, TimeSpan.Zero);
            action();
        }
    }

    public bool Chance(double probability) => Random.NextDouble() < probability;

    /// <summary>Uniform in milliseconds.</summary>
    public TimeSpan Between(double lowMs, double highMs) => TimeSpan.FromMilliseconds(lowMs + (Random.NextDouble() * (highMs - lowMs)));

    public void Log(string actor, Func<string> text)
    {
        if (keepsLog)
        {
            log.Add(string.Create(CultureInfo.InvariantCulture, $"{Elapsed.TotalMilliseconds,10:0.0} ms  {Member}{actor,-10} {text()}"));
        }
    }

    public void Check(bool holds, string invariant, Func<string> detail)
    {
        if (!holds && Violation is null)
        {
            Violation = $"{invariant}: {detail()}";
            Log("INVARIANT", () => Violation);
        }
    }
}
