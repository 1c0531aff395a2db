using System.Diagnostics;
using System.Globalization;
using Godwit.BenchLab;

namespace Godwit.DeploymentBench;

/// <summary>The deployment of tiny pods that all runs use, with the service before it, and what can be seen of it.</summary>
internal static class Workload
{
    public const string Name = "tiny";
    private const string Bound = "--timeout=240s";

    private static readonly long Began = Stopwatch.GetTimestamp();

    /// <summary>Pods leave a silent node at once, rather than after the usual five minutes.</summary>
    public static string Manifest(int replicas) => string.Create(CultureInfo.InvariantCulture, $$"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: { name: {{Name}} }
        spec:
          replicas: {{replicas}}
          selector: { matchLabels: { app: {{Name}} } }
          template:
            metadata: { labels: { app: {{Name}} } }
            spec:
              terminationGracePeriodSeconds: 0
              tolerations:
              - { key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 0 }
              - { key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 0 }
              containers:
              - { name: main, image: "{{BoxImage.Name}}", command: [ sleep, "1000000" ] }
        ---
        apiVersion: v1
        kind: Service
        metadata: { name: {{Name}} }
        spec: { selector: { app: {{Name}} }, ports: [ { port: 80, targetPort: 8080 } ] }
        """);

    /// <summary>From <c>kubectl apply</c> until <c>kubectl rollout status</c> says that all are there.</summary>
    public static async Task<TimeSpan> ApplyAsync(GodwitLab lab, int replicas, CancellationToken stopping)
    {
        var began = Stopwatch.GetTimestamp();
        await lab.KubectlAsync(["apply", "-f", "-"], stopping, Manifest(replicas));
        await lab.KubectlAsync(["rollout", "status", $"deployment/{Name}", Bound], stopping);
        return Stopwatch.GetElapsedTime(began);
    }

    /// <summary>Until nothing of it is there any more.</summary>
    public static async Task<TimeSpan> DeleteAsync(GodwitLab lab, CancellationToken stopping)
    {
        var began = Stopwatch.GetTimestamp();
        await lab.KubectlAsync(["delete", $"deployment/{Name}", $"service/{Name}", "--cascade=foreground", Bound], stopping);
        await UntilAsync("all pods are gone", async () => (await PodsAsync(lab, stopping)).Count == 0, stopping);
        return Stopwatch.GetElapsedTime(began);
    }

    /// <summary>The pods: name, node, and whether each is ready and not being deleted.</summary>
    public static async Task<IReadOnlyList<(string Name, string Node, bool IsReady)>> PodsAsync(GodwitLab lab, CancellationToken stopping)
    {
        const string path = """{range .items[*]}{.metadata.name}~{.spec.nodeName}~{.status.conditions[?(@.type=="Ready")].status}~{.metadata.deletionTimestamp}{"\n"}{end}""";
        var lines = await lab.KubectlAsync(["get", "pods", "-l", $"app={Name}", "-o", $"jsonpath={path}"], stopping);
        return [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('~')).Select(parts => (parts[0], parts[1], parts[2] == "True" && parts[3].Length == 0))];
    }

    /// <exception cref="TimeoutException">It was not so within four minutes.</exception>
    public static async Task UntilAsync(string what, Func<Task<bool>> condition, CancellationToken stopping)
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
        for (var began = Stopwatch.GetTimestamp(); !await condition(); await look.WaitForNextTickAsync(stopping))
        {
            if (Stopwatch.GetElapsedTime(began) > TimeSpan.FromMinutes(4))
            {
                throw new TimeoutException($"Not within four minutes: {what}.");
            }
        }
    }

    /// <summary>Where it stands, for who waits.</summary>
    public static void Say(FormattableString words) =>
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{Stopwatch.GetElapsedTime(Began):mm\\:ss}] {words.ToString(CultureInfo.InvariantCulture)}"));
}
