using System.Text.Json.Nodes;
using Godwit.Real.Tests.Docker;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary><c>godwit compare</c> with a real cluster and a real container engine.</summary>
[Trait("Needs", "root")]
public sealed class CompareTests
{
    [Fact]
    public async Task One_service_is_measured_as_a_process_in_a_machine_and_in_a_container_and_nothing_is_left_of_it()
    {
        Assert.SkipUnless(File.Exists(GodwitLab.Program), $"needs the program {GodwitLab.Program}: run eng/publish.sh");
        var service = Path.Combine(GodwitLab.ImagesFolder, "tiny", "tinyd");
        Assert.SkipUnless(File.Exists(service), $"needs {service}: run guests/build.sh tiny");
        await using var docker = await DockerLab.OpenAsync();
        await using var host = new HostCluster();
        await host.UpAsync();

        var answer = await host.GodwitAsync("compare", "-o", "json", "--load", "1s", "--service", service, "--docker-host", docker.ClientEnvironment["DOCKER_HOST"]);

        var rows = JsonNode.Parse(answer.MustSucceed().Output)!.AsArray().ToDictionary(row => row!["name"]!.GetValue<string>(), row => row!, StringComparer.Ordinal);
        Assert.Equal(["process", "machine", "container"], rows.Keys);
        Assert.All(rows.Values, row => Assert.All((string[])["startMs", "memoryBytes", "diskBytes", "requestsPerSecond"], name => Assert.True(row[name]?.GetValue<double>() > 0, $"{name} of {row}")));

        // What keeps each apart from the host, in words of its own.
        Assert.All([("process", "none"), ("machine", "the processor's"), ("container", "the kernel's")], one => Assert.StartsWith(one.Item2, rows[one.Item1]["isolation"]!.GetValue<string>(), StringComparison.Ordinal));

        // A machine has a kernel of its own in memory and on the disk, and boots it; a container is the program.
        double Of(string name, string what) => rows[name][what]!.GetValue<double>();
        Assert.True(Of("machine", "memoryBytes") > 10 * Of("container", "memoryBytes"), answer.Output);
        Assert.True(Of("machine", "startMs") > Of("container", "startMs"), answer.Output);
        Assert.InRange(Of("container", "diskBytes"), new FileInfo(service).Length, 2 * new FileInfo(service).Length);
        Assert.Equal("", (await host.KubectlAsync("get", "vm,vmi", "-o", "name")).MustSucceed().Output);
        Assert.Equal("", (await docker.DockerAsync("ps", "-aq")).Output);
        Assert.Equal($"{DockerLab.Busybox}\n", (await docker.DockerAsync("images", "--format", "{{.Repository}}")).Output);
    }

    [Fact]
    public async Task Without_an_engine_or_a_cluster_it_says_how_to_start_one()
    {
        Assert.SkipUnless(File.Exists(GodwitLab.Program), $"needs the program {GodwitLab.Program}: run eng/publish.sh");
        var bound = TimeSpan.FromMinutes(1);
        var noCluster = await Command.RunAsync(GodwitLab.Program, ["compare", "--instance", "none", "--service", GodwitLab.Program], bound, environment: new Dictionary<string, string>(StringComparer.Ordinal) { ["KUBECONFIG"] = "", ["HOME"] = "/nowhere" });
        Assert.Equal(4, noCluster.ExitCode);
        Assert.Contains("godwit up", noCluster.Errors, StringComparison.Ordinal);
        var noEngine = await Command.RunAsync(GodwitLab.Program, ["compare", "--server", "https://127.0.0.1:1", "--service", GodwitLab.Program, "--docker-host", "unix:///nowhere/docker.sock"], bound);
        Assert.Equal(4, noEngine.ExitCode);
        Assert.Contains("godwit engine", noEngine.Errors, StringComparison.Ordinal);
    }
}
