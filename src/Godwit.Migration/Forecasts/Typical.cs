using Godwit.Migration.Models;

namespace Godwit.Migration.Forecasts;

/// <summary>
/// A range from few measurements of the same thing, on a host that is now and then busy with something else. Its middle is their median, which one slow
/// start in eight does not move, where the middle between the least and the most would lie far above all others. It reaches as far as three in four of them
/// stray from that, and a doubt.
/// </summary>
internal static class Typical
{
    private const double StrayShare = 0.75;

    /// <param name="values">At least one; none negative.</param>
    /// <param name="doubt">By so much, as a factor of more than 1, the next may lie beyond them.</param>
    public static Interval Around(double[] values, double doubt)
    {
        var middle = Median(values);
        var reach = Quantile([.. values.Select(value => Math.Abs(value - middle))], StrayShare) + (middle * (doubt - 1));
        return new(Math.Max(values.Min() / doubt, middle - reach), middle + reach);
    }

    /// <summary>Where a guest changes from move to move the newest say most about the next: each counts one more than the one before it.</summary>
    /// <param name="values">At least one, newest last; none negative.</param>
    /// <param name="doubt">As a factor.</param>
    public static Interval Next(double[] values, double doubt)
    {
        var middle = values.Select((value, index) => value * (index + 1)).Sum() / (values.Length * (values.Length + 1) / 2.0);
        var reach = values.Max(value => Math.Abs(value - middle)) + (middle * (doubt - 1));
        return new(Math.Max(values.Min() / doubt, middle - reach), middle + reach);
    }

    public static double Median(double[] values) => Quantile(values, 0.5);

    /// <summary>Between two values, linear.</summary>
    private static double Quantile(double[] values, double share)
    {
        double[] sorted = [.. values.Order()];
        var place = share * (sorted.Length - 1);
        var below = (int)place;
        return sorted[below] + ((sorted[Math.Min(below + 1, sorted.Length - 1)] - sorted[below]) * (place - below));
    }
}
