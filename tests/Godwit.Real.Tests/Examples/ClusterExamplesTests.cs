using Godwit.Real.Tests.Docker;
using Godwit.Real.Tests.Hosts;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Examples;

/// <summary>Examples that are applied to a cluster: with their own scripts, the real <c>docker</c> and the real <c>kubectl</c>.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "docker")]
[Trait("Needs", "kubectl")]
public sealed class ClusterExamplesTests
{
    /// <summary>Fetching and unpacking packages, on shared cores.</summary>
    private static readonly TimeSpan BuildBound = TimeSpan.FromMinutes(10);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_guestbook_is_signed_on_a_page_and_by_its_clock_and_both_pages_show_it()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/mmdebstrap"), "needs mmdebstrap: install the package mmdebstrap");
        await using var lab = await DockerLab.OpenAsync();
        await using var cluster = new HostCluster();
        var example = Path.Combine(HostCluster.Tree, "examples", "guestbook");
        (await Command.RunAsync(Path.Combine(example, "build.sh"), [cluster.MakeImages()], BuildBound, environment: lab.ClientEnvironment)).MustSucceed();
        await cluster.UpAsync();
        var file = Path.Combine(example, "guestbook.yaml");
        (await cluster.KubectlAsync("apply", "-f", file)).MustSucceed();
        foreach (var deployment in new[] { "redis", "guestbook" })
        {
            (await cluster.KubectlAsync("rollout", "status", $"deployment/{deployment}", "--timeout=150s")).MustSucceed();
        }

        var node = (await cluster.KubectlAsync("get", "nodes", "-o", "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}")).MustSucceed().Output;
        using var client = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero, UseProxy = false }) { BaseAddress = new Uri($"http://{node}:30080/"), Timeout = TimeSpan.FromSeconds(20) };
        using var form = new FormUrlEncodedContent([new("name", "a <reader>"), new("text", "it works")]);
        using (var signed = await client.PostAsync(new Uri("", UriKind.Relative), form, Stopping))
        {
            Assert.Contains("a &lt;reader&gt;: it works", await signed.Content.ReadAsStringAsync(Stopping), StringComparison.Ordinal);
        }

        var pages = new HashSet<string>(StringComparer.Ordinal);
        await Eventually.IsTrueAsync("both pages show the entry, and that of the clock", HostCluster.Bound, async () =>
        {
            var page = await client.GetStringAsync(new Uri("", UriKind.Relative), Stopping);
            if (page.Contains("it works", StringComparison.Ordinal) && page.Contains("clock: a minute is over", StringComparison.Ordinal))
            {
                pages.Add(page[page.IndexOf("Served by", StringComparison.Ordinal)..]);
            }

            return pages.Count == 2;
        });
        (await cluster.KubectlAsync("delete", "-f", file, "--timeout=120s")).MustSucceed();
    }
}
