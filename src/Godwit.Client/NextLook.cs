namespace Godwit.Client;

/// <summary>When a reconciler wants to see a key again, although nothing about it has changed.</summary>
public readonly record struct NextLook(TimeSpan? Delay)
{
    /// <summary>Only when something changes.</summary>
    public static NextLook OnChange { get; } = new(null);

    public static NextLook After(TimeSpan delay) => new(delay);

    /// <summary>The earlier of two wishes.</summary>
    public NextLook Or(NextLook other) =>
        Delay is null ? other
        : other.Delay is null ? this
        : Delay <= other.Delay ? this
        : other;
}
