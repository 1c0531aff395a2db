using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds.Pods;

/// <summary>The columns of <c>kubectl get pods</c>. STATUS is the one word that says most: the container that keeps the pod back, before the phase.</summary>
internal static class PodColumns
{
    private const string None = "<none>";

    public static IReadOnlyList<TableColumn> All { get; } =
    [
        Columns.Computed("Ready", "Ready containers of all.", Ready),
        Columns.Computed("Status", "The state in one word.", Status),
        new("Restarts", "string", "How often its containers were started anew, and when last.", (pod, now) => Restarts(pod, now)),
        Columns.Age(),
        Columns.Computed("IP", "Its address.", pod => pod.TextAt("status", "podIP") ?? None, priority: 1),
        Columns.Computed("Node", "Its node.", pod => pod.TextAt("spec", "nodeName") ?? None, priority: 1),
        Columns.Computed("Nominated Node", "The node on which room is being made.", pod => pod.TextAt("status", "nominatedNodeName") ?? None, priority: 1),
        Columns.Computed("Readiness Gates", "Conditions that hold, of those it waits for.", Gates, priority: 1),
    ];

    private static string Ready(JsonObject pod)
    {
        var sidecars = Sidecars(pod).ToHashSet(StringComparer.Ordinal);
        var ready = Statuses(pod, "containerStatuses").Count(status => IsRunningAndReady(status))
            + Statuses(pod, "initContainerStatuses").Count(status => sidecars.Contains(status.TextAt("name") ?? "") && IsStarted(status) && IsReady(status));
        var all = (pod.ArrayAt("spec", "containers")?.Count ?? 0) + sidecars.Count;
        return string.Create(CultureInfo.InvariantCulture, $"{ready}/{all}");
    }

    private static string Status(JsonObject pod)
    {
        var reason = pod.TextAt("status", "reason") ?? pod.TextAt("status", "phase") ?? "";
        var initial = InitialReason(pod);
        if (initial is not null)
        {
            reason = initial;
        }
        else
        {
            var running = false;
            foreach (var status in Statuses(pod, "containerStatuses").Reverse())
            {
                reason = ReasonOf(status) ?? reason;
                running |= IsRunningAndReady(status);
            }

            if (reason == "Completed" && running)
            {
                reason = Columns.ConditionStatus(pod, "Ready") == "True" ? "Running" : "NotReady";
            }
        }

        return pod.TextAt("metadata", "deletionTimestamp") is null ? reason
            : pod.TextAt("status", "reason") == "NodeLost" ? "Unknown"
            : pod.TextAt("status", "phase") is "Succeeded" or "Failed" ? reason
            : "Terminating";
    }

    /// <summary>What the first init container that is not done says, or null when all are.</summary>
    private static string? InitialReason(JsonObject pod)
    {
        var sidecars = Sidecars(pod).ToHashSet(StringComparer.Ordinal);
        var all = pod.ArrayAt("spec", "initContainers")?.Count ?? 0;
        var index = 0;
        foreach (var status in Statuses(pod, "initContainerStatuses"))
        {
            var done = JsonAccess.AsInt64(status.At("state", "terminated", "exitCode")) == 0 || (sidecars.Contains(status.TextAt("name") ?? "") && IsStarted(status));
            if (!done)
            {
                return status.ObjectAt("state", "terminated") is not null ? $"Init:{ReasonOf(status)}"
                    : status.TextAt("state", "waiting", "reason") is { Length: > 0 } waiting && waiting != "PodInitializing" ? $"Init:{waiting}"
                    : string.Create(CultureInfo.InvariantCulture, $"Init:{index}/{all}");
            }

            index++;
        }

        return null;
    }

    private static string? ReasonOf(JsonNode status) =>
        status.TextAt("state", "waiting", "reason") is { Length: > 0 } waiting ? waiting
        : status.ObjectAt("state", "terminated") is not { } ended ? null
        : ended.TextAt("reason") is { Length: > 0 } reason ? reason
        : JsonAccess.AsInt64(ended["signal"]) is { } signal and not 0 ? string.Create(CultureInfo.InvariantCulture, $"Signal:{signal}")
        : string.Create(CultureInfo.InvariantCulture, $"ExitCode:{JsonAccess.AsInt64(ended["exitCode"]) ?? 0}");

    private static string Restarts(JsonObject pod, DateTimeOffset now)
    {
        var statuses = Statuses(pod, "containerStatuses").Concat(Statuses(pod, "initContainerStatuses")).ToList();
        var count = statuses.Sum(status => JsonAccess.AsInt64(status["restartCount"]) ?? 0);
        var last = statuses.Select(status => status.TextAt("lastState", "terminated", "finishedAt")).Where(time => time is not null).Max(StringComparer.Ordinal);
        return count > 0 && last is not null
            ? string.Create(CultureInfo.InvariantCulture, $"{count} ({HumanDuration.Since(last, now)} ago)")
            : count.ToString(CultureInfo.InvariantCulture);
    }

    private static string Gates(JsonObject pod)
    {
        var gates = pod.ArrayAt("spec", "readinessGates") ?? [];
        var held = gates.Count(gate => Columns.ConditionStatus(pod, gate.TextAt("conditionType") ?? "") == "True");
        return gates.Count == 0 ? None : string.Create(CultureInfo.InvariantCulture, $"{held}/{gates.Count}");
    }

    private static bool IsRunningAndReady(JsonNode status) => status.ObjectAt("state", "running") is not null && IsReady(status);

    private static bool IsReady(JsonNode status) => JsonAccess.AsBoolean(status["ready"]) == true;

    private static bool IsStarted(JsonNode status) => JsonAccess.AsBoolean(status["started"]) == true;

    private static IEnumerable<string> Sidecars(JsonObject pod) =>
        (pod.ArrayAt("spec", "initContainers") ?? []).Where(container => container.TextAt("restartPolicy") == "Always").Select(container => container.TextAt("name") ?? "");

    private static IEnumerable<JsonNode> Statuses(JsonObject pod, string field) => (pod.ArrayAt("status", field) ?? []).OfType<JsonNode>();
}
