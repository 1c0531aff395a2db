namespace Godwit.Real.Tests.Docker;

/// <summary>Compose against the engine, as it is installed with Debian 12 (1.29) and 13 (2.26).</summary>
[Trait("Needs", "docker")]
public sealed class ComposeTests
{
    private const string Project = $$"""
        services:
          db:
            image: {{DockerLab.Busybox}}
            command: ["sh", "-c", "echo served > /data/index.html; touch /tmp/ready; exec httpd -f -p 80 -h /data"]
            healthcheck: {test: ["CMD", "cat", "/tmp/ready"], interval: 1s, timeout: 5s, retries: 30}
            volumes: ["data:/data"]
          web:
            image: {{DockerLab.Busybox}}
            depends_on: {db: {condition: service_healthy} }
            command: ["sh", "-c", "wget -q -O - http://db/; exec sleep 1000"]
            ports: ["80"]
        volumes: {data: {} }

        """;

    [Fact]
    public Task Compose_2_brings_up_scales_executes_logs_and_takes_down()
    {
        Assert.SkipUnless(DockerClients.Compose is not null, "needs Compose 2: run eng/setup.sh test");
        return WholeLifeAsync(DockerClients.Compose);
    }

    [Fact]
    public Task Compose_1_brings_up_scales_executes_logs_and_takes_down()
    {
        Assert.SkipUnless(DockerClients.OldCompose is not null, "needs Compose 1.29: install Debian 12's package docker-compose");
        return WholeLifeAsync(DockerClients.OldCompose);
    }

    private static async Task WholeLifeAsync(string compose)
    {
        await using var lab = await DockerLab.OpenAsync();
        var file = Path.Combine(lab.Folder, "compose.yaml");
        await File.WriteAllTextAsync(file, Project, TestContext.Current.CancellationToken);
        Task<string> ComposeAsync(params string[] arguments) => MustAsync(lab, compose, ["-p", "demo", "-f", file, .. arguments]);

        await ComposeAsync("up", "-d");
        // It was started only when the other was healthy, and found it by its name; that it was started is not that it has asked already.
        await Labs.Eventually.IsTrueAsync("web says what it was served", TimeSpan.FromMinutes(1), async () => (await ComposeAsync("logs", "web")).Contains("served", StringComparison.Ordinal));
        Assert.Equal("served\n", await ComposeAsync("exec", "-T", "web", "wget", "-q", "-O", "-", "http://db/"));
        Assert.Contains("healthy", (await lab.DockerAsync("ps")).Output, StringComparison.Ordinal);
        Assert.NotEmpty((await ComposeAsync("port", "web", "80")).Trim());
        var before = await ComposeAsync("ps", "-q");
        await ComposeAsync("up", "-d"); // Nothing to do: what is up stays.
        Assert.Equal(Lines(before), Lines(await ComposeAsync("ps", "-q")));
        await ComposeAsync("up", "-d", "--scale", "web=3");
        Assert.Equal(3, Lines(await ComposeAsync("ps", "-q", "web")).Count);
        await ComposeAsync("restart", "-t", "1", "db");
        await ComposeAsync("down", "-v", "-t", "1");
        Assert.Equal("", (await lab.DockerAsync("ps", "-aq")).Output);
        Assert.Equal("", (await lab.DockerAsync("volume", "ls", "-q")).Output);
        Assert.DoesNotContain("demo", (await lab.DockerAsync("network", "ls", "--format", "{{.Name}}")).Output, StringComparison.Ordinal);
    }

    private static async Task<string> MustAsync(DockerLab lab, string compose, IReadOnlyList<string> arguments)
    {
        var (code, output, error) = await lab.RunAsync(compose, "", arguments);
        Assert.True(code == 0, $"{string.Join(' ', arguments)}: {code}\n{output}\n{error}");
        return output;
    }

    private static List<string> Lines(string text) => [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];
}
