using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Controllers.Migrations;
using Godwit.Scheduling;

namespace Godwit.Controllers.Forecasts;

/// <summary>
/// Makes a Forecast ready for the guest's node: checks that the move it asks about could be made, and chooses the target
/// if none is named. The agent of the source measures and answers. Answered ones are deleted after <see cref="KeptFor"/>.
/// </summary>
internal sealed class ForecastController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller("forecast", clock, logger)
{
    public static readonly TimeSpan KeptFor = TimeSpan.FromHours(1);

    private readonly ResourceClient<Forecast> forecasts = cluster.ClientOf<Forecast>();

    protected override void Subscribe() => cluster.Forecasts.Subscribe(change => Enqueue(change.Key));

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.Forecasts.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.Forecasts.Current.Find(key) is not { } forecast || forecast.Metadata.DeletionTimestamp is not null)
        {
            return NextLook.OnChange;
        }

        var now = Clock.GetUtcNow();
        var left = KeptFor - (now - (forecast.Metadata.CreationTimestamp ?? now));
        if (left <= TimeSpan.Zero)
        {
            var exactly = new DeleteOptions { Preconditions = new Preconditions { Uid = forecast.Metadata.Uid } };
            await forecasts.TryDeleteAsync(key, exactly, stopping);
            return NextLook.OnChange;
        }

        if (forecast.Status.Phase is null or "" or ForecastPhases.Pending)
        {
            var vmi = cluster.Instances.Current.Find(key.Namespace, forecast.Spec.VmiName);
            var status = ForecastPlanner.For(forecast, vmi, cluster.Snapshot(), now);
            cluster.Forecasts.Observe(await forecasts.ChangeStatusAsync(forecast, forecast with { Status = status }, stopping));
        }

        return NextLook.After(left);
    }
}

/// <summary>Decides what is asked of which agent, or why nothing is.</summary>
internal static class ForecastPlanner
{
    public static ForecastStatus For(Forecast forecast, VirtualMachineInstance? vmi, ClusterSnapshot cluster, DateTimeOffset now)
    {
        if (vmi is null)
        {
            return Failed(forecast, ObstacleReasons.GuestNotRunning, $"there is no VirtualMachineInstance {forecast.Spec.VmiName}", now);
        }

        var preflight = new Preflight { Vmi = vmi, Source = cluster.Find(vmi.Status.NodeName ?? "") };
        if (preflight.FindSourceObstacles().FirstOrDefault() is { } obstacle)
        {
            return Failed(forecast, obstacle.Reason, $"{obstacle.Message} ({obstacle.Fix})", now);
        }

        var selector = new Dictionary<string, string>(StringComparer.Ordinal);
        if (forecast.Spec.TargetNode is { Length: > 0 } named)
        {
            selector[LabelNames.Hostname] = named;
        }

        return TargetChoice.For(vmi, selector, preflight, cluster) switch
        {
            Placement.Chosen chosen => forecast.Status with
            {
                Phase = ForecastPhases.Scheduled,
                SourceNode = vmi.Status.NodeName,
                TargetNode = chosen.NodeName,
            },
            Placement.Nowhere nowhere => Failed(forecast, TargetChoice.MainReason(nowhere, selector), nowhere.Explain(), now),
            var other => throw new InvalidOperationException($"{other} is no placement."),
        };
    }

    private static ForecastStatus Failed(Forecast forecast, string reason, string message, DateTimeOffset now) => forecast.Status with
    {
        Phase = ForecastPhases.Failed,
        Reason = message,
        Conditions = Conditions.With(
            forecast.Status.Conditions, new Condition { Type = "Ready", Status = ConditionStatuses.False, Reason = reason, Message = message }, now),
    };
}
