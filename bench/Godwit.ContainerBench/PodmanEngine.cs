using System.Diagnostics;

namespace Godwit.ContainerBench;

/// <summary>podman, which is no process between commands: its own command line, as people use it.</summary>
internal sealed class PodmanEngine(int holder, string folder) : Engine("podman", holder, folder)
{
    private string Configuration => Path.Combine(Folder, "containers.conf");

    public override IReadOnlyList<string> PlainRegistry => ["--tls-verify=false"];

    // Its `rm -f` waits ten seconds for a first process that takes no SIGTERM; docker's does not wait.
    public override IReadOnlyList<string> RemoveNow => ["rm", "-f", "-t", "0"];

    public override ProcessStartInfo Client(params IReadOnlyList<string> arguments)
    {
        var start = Tools.Inside(Holder, ["podman", "--root", $"{Folder}/data", "--runroot", $"{Folder}/run", "--tmpdir", $"{Folder}/tmp", "--network-config-dir", $"{Folder}/networks", .. arguments]);
        start.Environment["CONTAINERS_CONF"] = Configuration;
        start.Environment["HOME"] = Path.Combine(Folder, "home");
        start.Environment["CONTAINERS_REGISTRIES_CONF"] = Path.Combine(Folder, "registries.conf");
        return start;
    }

    public override async Task<TimeSpan?> StartAsync(CancellationToken stopping)
    {
        Directory.CreateDirectory(Folder);
        // Its default limits are higher than root has on some hosts, where it then starts nothing.
        await File.WriteAllTextAsync(
            Configuration,
            $"""
            [containers]
            default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
            seccomp_profile = "{Tools.Engines}/usr/share/containers/seccomp.json"
            [engine]
            cgroup_manager = "cgroupfs"
            events_logger = "file"
            conmon_path = ["/usr/bin/conmon"]
            helper_binaries_dir = ["{Tools.Engines}/usr/lib/podman", "{Tools.Engines}/usr/libexec/podman"]
            [network]
            network_backend = "netavark"
            """,
            stopping);
        await File.WriteAllTextAsync(Path.Combine(Folder, "registries.conf"), "unqualified-search-registries = []\n", stopping);
        var policies = Directory.CreateDirectory(Path.Combine(Folder, "home", ".config", "containers")).FullName;
        File.Copy(Path.Combine(Tools.Engines, "etc", "containers", "policy.json"), Path.Combine(policies, "policy.json"), overwrite: true);
        await RunAsync(stopping, "info");
        return null;
    }

    public override Task StopAsync(CancellationToken stopping) => Task.CompletedTask;

    public override long? ResidentBytes(string kind = "VmRSS") => null;
}
