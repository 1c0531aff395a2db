namespace Godwit.Migration.Models;

/// <summary>A range of possible values, both ends included. A forecast is always one of these, never a single number.</summary>
public readonly record struct Interval
{
    public Interval(double low, double high)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(high, low);
        Low = low;
        High = high;
    }

    public double Low { get; }

    public double High { get; }

    public double Middle => (Low + High) / 2;

    /// <summary>Between the ends: 0 is the low one, 1 the high one.</summary>
    public double At(double share) => Low + ((High - Low) * share);

    public static Interval Exactly(double value) => new(value, value);

    public bool Contains(double value) => value >= Low && value <= High;

    public static Interval operator +(Interval a, Interval b) => new(a.Low + b.Low, a.High + b.High);

    public static Interval operator *(Interval a, double factor) => new(a.Low * factor, a.High * factor);

    public static Interval Add(Interval left, Interval right) => left + right;

    public static Interval Multiply(Interval left, double right) => left * right;

    /// <summary>Each end by its own factor: the product of two non-negative ranges.</summary>
    public Interval Scale(Interval factor) => new(Low * factor.Low, High * factor.High);
}
