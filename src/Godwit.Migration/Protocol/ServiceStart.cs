using Godwit.Migration.Models;

namespace Godwit.Migration.Protocol;

/// <summary>What is left of the move of a guest of a service until it is in its last rounds: all of it before it has begun, nothing once it is there.</summary>
/// <param name="Seconds">As a range.</param>
/// <param name="IsTold">By its source, which is moving it; else it is what was forecast.</param>
public readonly record struct ServiceMoveLeft(Interval Seconds, bool IsTold);

/// <summary>
/// When the move of a guest of a service begins, so that all come to their last rounds at about the same time. One that waits there is held back
/// by its bandwidth (<see cref="ServicePace"/>), which a guest that writes little does not bear for long; one that has not begun costs nothing.
/// <code>
///   large  |=================================|..|     = copied   . in its last rounds
///   small                               |=======|     begins when no other needs longer than it does itself, and a second
/// </code>
/// What the others need is asked anew with each word of theirs, so that a move which goes faster or slower than was forecast takes the others
/// along. Forecasts are held against each other by their late ends. What a source tells is held against the early end, for it is better that the
/// large one waits, which writes as long as it is worth waiting for, than that the small one does. The one that needs longest waits for nobody, so one is
/// always under way. A guess that is wrong costs time and nothing else. Pure.
/// </summary>
public static class ServiceStart
{
    /// <summary>Guests that differ by less begin together: what is told of a move is exact to a second, and a wait of that length is borne in the last rounds.</summary>
    public const double EarlySecondsMax = 1;

    /// <param name="takesSeconds">What its own move is expected to take; null when that is not known, and then it does not wait.</param>
    /// <param name="others">Of each of the others of which it is known; those of which it is not are not waited for.</param>
    public static bool IsDue(Interval? takesSeconds, IEnumerable<ServiceMoveLeft> others) => takesSeconds is not { } own || others.All(other => other.IsTold
        ? other.Seconds.Middle <= own.Low + EarlySecondsMax
        : other.Seconds.High <= own.High + EarlySecondsMax);
}
