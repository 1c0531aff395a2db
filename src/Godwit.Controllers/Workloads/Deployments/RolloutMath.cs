using System.Globalization;
using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.Deployments;

/// <summary>How far a rolling update may stray from the number that is asked for.</summary>
/// <param name="Surge">So many pods more than asked for.</param>
/// <param name="Unavailable">So many fewer available than asked for.</param>
internal readonly record struct RolloutBounds(int Surge, int Unavailable)
{
    private const int DefaultPercent = 25;

    /// <summary>Percentages of the replicas: surge rounded up, unavailable down. Both nought would be a standstill: then one may be missing.</summary>
    public static RolloutBounds Of(Deployment deployment)
    {
        if (deployment.Spec.Strategy?.Type == DeploymentStrategies.Recreate)
        {
            return new RolloutBounds(0, 0);
        }

        var (rolling, replicas) = (deployment.Spec.Strategy?.RollingUpdate, deployment.Spec.Replicas ?? 1);
        var surge = CountOf(rolling?.MaxSurge, replicas, roundUp: true);
        var unavailable = Math.Min(CountOf(rolling?.MaxUnavailable, replicas, roundUp: false), replicas);
        return new RolloutBounds(surge, surge == 0 && unavailable == 0 ? 1 : unavailable);
    }

    /// <summary>A number, or a share of <paramref name="whole"/> as a percentage; a quarter when nothing is said.</summary>
    public static int CountOf(IntOrText? value, int whole, bool roundUp)
    {
        if (value is { Text: null } number)
        {
            return Math.Max(0, number.Number);
        }

        var text = value?.Text?.TrimEnd('%');
        var percent = text is not null && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed) ? parsed : DefaultPercent;
        return (int)(((long)whole * percent + (roundUp ? 99 : 0)) / 100);
    }
}

/// <summary>The two ways to renew a deployment's pods.</summary>
internal static class DeploymentStrategies
{
    public const string Recreate = "Recreate";
    public const string RollingUpdate = "RollingUpdate";
}
