namespace Godwit.Controllers.Workloads.Autoscaling;

/// <summary>What was recommended and done of late, for as long as a rule may ask for it. A new leader begins with nothing: its first recommendation is what is there.</summary>
internal sealed record ScalingHistory
{
    /// <summary>The longest window and the longest period that a rule may have, and with them how long anything is kept.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromHours(1);

    public static ScalingHistory Empty { get; } = new();

    public IReadOnlyList<(DateTimeOffset At, int Replicas)> Recommendations { get; init; } = [];

    /// <summary>By how many the number grew (more than 0) or shrank (less), and when.</summary>
    public IReadOnlyList<(DateTimeOffset At, int Change)> Changes { get; init; } = [];

    public ScalingHistory Recommending(int replicas, DateTimeOffset now) => this with { Recommendations = [.. Recommendations.Where(each => IsKept(each.At, now)), (now, replicas)] };

    public ScalingHistory Changing(int change, DateTimeOffset now) => this with { Changes = [.. Changes.Where(each => IsKept(each.At, now)), (now, change)] };

    /// <summary>What lies ahead of the clock was noted before that went back: it would hold the number for as long as that was.</summary>
    private static bool IsKept(DateTimeOffset at, DateTimeOffset now) => at <= now && now - at < KeptFor;

    /// <summary>By how many it grew since then.</summary>
    public int GrownSince(DateTimeOffset since) => Changes.Where(each => each.At > since && each.Change > 0).Sum(each => each.Change);

    /// <summary>By how many it shrank since then.</summary>
    public int ShrunkSince(DateTimeOffset since) => -Changes.Where(each => each.At > since && each.Change < 0).Sum(each => each.Change);
}
