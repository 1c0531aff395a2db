using Godwit.Real.Tests.Hosts;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Examples;

/// <summary>The examples that are applied to a cluster: images by their own scripts and the real <c>docker</c>, their files by the real <c>kubectl</c>, used as their users do.</summary>
[Collection(ExampleCollection.Name)]
[Trait("Needs", "root")]
[Trait("Needs", "docker")]
[Trait("Needs", "kubectl")]
public sealed class ClusterExamplesTests(ExampleLab example)
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private static string Folder => Path.Combine(HostCluster.Tree, "examples");

    [Fact]
    public async Task The_guestbook_is_signed_on_its_page_and_by_its_clock_and_both_pages_show_it()
    {
        await example.OpenEngineAsync(Stopping);
        await using var cluster = new HostCluster();
        await example.RunAsync(Path.Combine(Folder, "guestbook", "build.sh"), cluster.MakeImages());
        await cluster.UpAsync();
        var file = Path.Combine(Folder, "guestbook", "guestbook.yaml");
        await KubectlAsync(cluster, "apply", "-f", file);
        await KubectlAsync(cluster, "rollout", "status", "deployment/redis", "--timeout=150s");
        await KubectlAsync(cluster, "rollout", "status", "deployment/guestbook", "--timeout=150s");

        // A connection for each request: what is open stays with the page that it was led to.
        using var client = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero, UseProxy = false }) { BaseAddress = await PageAsync(cluster, 30080), Timeout = TimeSpan.FromSeconds(20) };
        await AnswersAsync(client);
        using var form = new FormUrlEncodedContent([new("name", "a <reader>"), new("text", "it works")]);
        using (var signed = await client.PostAsync(client.BaseAddress, form, Stopping))
        {
            Assert.Contains("a &lt;reader&gt;: it works", await signed.Content.ReadAsStringAsync(Stopping), StringComparison.Ordinal);
        }

        var pages = new HashSet<string>(StringComparer.Ordinal);
        await Eventually.IsTrueAsync("both pages show the entry, and that of the clock", HostCluster.Bound, async () =>
        {
            var page = await client.GetStringAsync(client.BaseAddress, Stopping);
            if (page.Contains("it works", StringComparison.Ordinal) && page.Contains("clock: a minute is over", StringComparison.Ordinal))
            {
                pages.Add(page[page.IndexOf("Served by", StringComparison.Ordinal)..]);
            }

            return pages.Count == 2;
        });
        await KubectlAsync(cluster, "delete", "-f", file, "--timeout=120s");
        await NothingRunsAsync(cluster);
    }

    [Fact]
    public async Task The_databases_table_made_on_its_page_is_there_after_its_pod_was_made_anew_and_its_volume_goes_with_the_claim()
    {
        await example.OpenAsync(Stopping);
        await using var cluster = new HostCluster();
        await example.ScriptAsync("build.sh", "nodes", cluster.MakeImages());
        await cluster.UpAsync();
        var file = Path.Combine(Folder, "mysql-phpmyadmin", "kubernetes.yaml");
        await KubectlAsync(cluster, "create", "secret", "generic", "mysql", $"--from-file={example.PasswordFile}");
        await KubectlAsync(cluster, "apply", "-f", file);
        await KubectlAsync(cluster, "rollout", "status", "statefulset/db", "--timeout=150s");
        await KubectlAsync(cluster, "rollout", "status", "deployment/phpmyadmin", "--timeout=150s");
        var password = (await File.ReadAllTextAsync(example.PasswordFile, Stopping)).Trim();
        await using var browser = await Browser.StartAsync();
        var page = new PhpMyAdminPage(browser, await PageAsync(cluster, 30081));
        await page.LogInAsync(password);
        await page.CreateTableAsync();

        var first = await UidAsync(cluster);
        await KubectlAsync(cluster, "delete", "pod", "db-0", "--timeout=90s");
        await Eventually.IsTrueAsync("the database has a pod again", HostCluster.Bound, async () => await UidAsync(cluster) is { Length: > 0 } uid && uid != first);
        await KubectlAsync(cluster, "wait", "pod/db-0", "--for=condition=Ready", "--timeout=120s");
        await page.LogInAsync(password);
        await page.FindTableAsync();

        var volume = await KubectlAsync(cluster, "get", "pvc", "data-db-0", "-o", "jsonpath={.spec.volumeName}");
        var folder = await KubectlAsync(cluster, "get", "pv", volume, "-o", "jsonpath={.spec.local.path}");
        await KubectlAsync(cluster, "delete", "-f", file, "--timeout=120s");
        await NothingRunsAsync(cluster);
        Assert.True(Directory.Exists(Path.Combine(folder, "shop")), $"{folder} has no database");
        await KubectlAsync(cluster, "delete", "pvc", "data-db-0", "--timeout=60s");
        await Eventually.IsTrueAsync("the volume is gone", HostCluster.Bound, async () => (await KubectlAsync(cluster, "get", "pv", "-o", "name")).Length == 0);
        Assert.False(Path.Exists(folder));
    }

    /// <summary>At the port of the node: by the guests' gateway, for the node's own address is the loopback's here.</summary>
    private static async Task<Uri> PageAsync(HostCluster cluster, int port) =>
        new($"http://{await KubectlAsync(cluster, "get", "configmap", "godwit-network", "--namespace", "kube-system", "-o", "jsonpath={.data.gateway}")}:{port}/");

    /// <summary>That its pods are ready is known a moment before the node leads anybody to them.</summary>
    private static Task AnswersAsync(HttpClient client) => Eventually.IsTrueAsync($"{client.BaseAddress} answers", HostCluster.Bound, async () =>
    {
        try
        {
            using var answer = await client.GetAsync(client.BaseAddress, Stopping);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    });

    private static async Task<string> UidAsync(HostCluster cluster) => await KubectlAsync(cluster, "get", "pod", "db-0", "--ignore-not-found", "-o", "jsonpath={.metadata.uid}");

    private static Task NothingRunsAsync(HostCluster cluster) =>
        Eventually.IsTrueAsync("no pod is left", HostCluster.Bound, async () => (await KubectlAsync(cluster, "get", "pods", "-o", "name")).Length == 0);

    private static async Task<string> KubectlAsync(HostCluster cluster, params IEnumerable<string> arguments) => (await cluster.KubectlAsync(arguments)).MustSucceed().Output;
}
