namespace Godwit.Controllers;

/// <summary>Lists of conditions, replaced and never edited.</summary>
internal static class Conditions
{
    public static Condition? Find(IReadOnlyList<Condition> conditions, string type) => conditions.FirstOrDefault(condition => condition.Type == type);

    /// <summary>
    /// The list with one condition set. Its transition time changes only when its status does, so that setting the same
    /// again changes nothing.
    /// </summary>
    public static IReadOnlyList<Condition> With(IReadOnlyList<Condition> conditions, Condition wanted, DateTimeOffset now)
    {
        var known = Find(conditions, wanted.Type);
        var since = known?.Status == wanted.Status ? known.LastTransitionTime : now;
        var made = wanted with { LastTransitionTime = since, LastProbeTime = known?.LastProbeTime };
        return known is null
            ? [.. conditions, made]
            : [.. conditions.Select(condition => condition.Type == wanted.Type ? made : condition)];
    }

    public static IReadOnlyList<Condition> Without(IReadOnlyList<Condition> conditions, string type) =>
        Find(conditions, type) is null ? conditions : [.. conditions.Where(condition => condition.Type != type)];
}

/// <summary>Lists of phase transitions.</summary>
internal static class PhaseTransitions
{
    /// <summary>So many are kept; the oldest go first.</summary>
    public const int CountMax = 20;

    /// <summary>The list with the entry into a phase; unchanged when that phase is the last one already.</summary>
    public static IReadOnlyList<PhaseTransition> With(IReadOnlyList<PhaseTransition> transitions, string phase, DateTimeOffset now) =>
        transitions is [.., { } last] && last.Phase == phase
            ? transitions
            : [.. transitions.TakeLast(CountMax - 1), new PhaseTransition { Phase = phase, Timestamp = now }];

    public static DateTimeOffset? When(IReadOnlyList<PhaseTransition> transitions, string phase) =>
        transitions.LastOrDefault(transition => transition.Phase == phase)?.Timestamp;
}
