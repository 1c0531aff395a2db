using System.Globalization;
using Godwit.Containers;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.DockerApi.Endpoints;

/// <summary>The engine as a whole: ping, version, info, disk usage, login.</summary>
internal sealed class SystemEndpoints(EngineServices services)
{
    public IEnumerable<Endpoint> List() =>
    [
        new("GET", "_ping", PingAsync),
        new("HEAD", "_ping", PingAsync),
        new("GET", "version", exchange => exchange.WriteJsonAsync(DescribeVersion(), DockerJson.Default.VersionAnswer)),
        new("GET", "info", exchange => exchange.WriteJsonAsync(DescribeEngine(), DockerJson.Default.InfoAnswer)),
        new("GET", "system/df", DescribeUsageAsync),
        new("POST", "auth", CheckCredentialsAsync),
    ];

    private static async Task PingAsync(Exchange exchange)
    {
        exchange.Http.Response.Headers["Builder-Version"] = "1";
        exchange.Http.Response.Headers["Swarm"] = "inactive";
        exchange.Http.Response.Headers.CacheControl = "no-cache, no-store, must-revalidate";
        exchange.Http.Response.Headers.Pragma = "no-cache";
        exchange.Http.Response.ContentType = "text/plain; charset=utf-8";
        exchange.Http.Response.ContentLength = 2;
        if (exchange.Http.Request.Method is "GET")
        {
            await exchange.WriteTextAsync("OK");
        }
    }

    private VersionAnswer DescribeVersion()
    {
        var details = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["ApiVersion"] = ApiVersion.Newest.ToString(),
            ["MinAPIVersion"] = ApiVersion.Oldest.ToString(),
            ["Arch"] = Platform.Host.Architecture,
            ["Os"] = "linux",
            ["KernelVersion"] = HostFacts.Kernel,
        };
        return new VersionAnswer
        {
            Platform = new NamedPlatform("Godwit"),
            Version = services.Version,
            ApiVersion = ApiVersion.Newest.ToString(),
            MinAPIVersion = ApiVersion.Oldest.ToString(),
            Os = "linux",
            Arch = Platform.Host.Architecture,
            KernelVersion = HostFacts.Kernel,
            Components = [new VersionComponent("Engine", services.Version, details)],
        };
    }

    private InfoAnswer DescribeEngine()
    {
        var containers = services.Containers.List();
        return new InfoAnswer
        {
            ID = HostFacts.MachineId,
            Containers = containers.Count,
            ContainersRunning = containers.Count(container => container.State is ContainerState.Running or ContainerState.Restarting),
            ContainersPaused = containers.Count(container => container.State is ContainerState.Paused),
            ContainersStopped = containers.Count(container => container.State is not (ContainerState.Alive or ContainerState.Restarting)),
            Images = services.Images.List().Count,
            Plugins = new InfoPlugins(["local"], ["bridge", "host", "null"], null, ["json-file", "local", "none"]),
            SwapLimit = services.Containers.CountsSwap,
            SystemTime = Moments.Write(services.Time.GetLocalNow()),
            CgroupVersion = HostFacts.ControlGroupVersion,
            KernelVersion = HostFacts.Kernel,
            OperatingSystem = HostFacts.SystemName,
            OSVersion = HostFacts.SystemVersion,
            Architecture = HostFacts.Machine,
            NCPU = Environment.ProcessorCount,
            MemTotal = HostFacts.MemoryBytes,
            DockerRootDir = services.DataFolder,
            Name = Environment.MachineName,
            ServerVersion = services.Version,
            Runtimes = new Dictionary<string, RuntimeEntry>(StringComparer.Ordinal) { ["crun"] = new("crun") },
            Swarm = new SwarmAnswer("inactive", ControlAvailable: false),
            SecurityOptions = services.Containers.HasUserNamespaces ? ["name=seccomp,profile=builtin", "name=userns"] : ["name=seccomp,profile=builtin"],
        };
    }

    private async Task DescribeUsageAsync(Exchange exchange)
    {
        var containers = services.Containers.List();
        var images = services.Images.List();
        var layers = images.SelectMany(image => image.Layers).DistinctBy(layer => layer.DiffId).Sum(layer => layer.SizeBytes);
        var entries = new List<ContainerListEntry>();
        foreach (var container in containers)
        {
            entries.Add(ContainerWriter.List(container, services.Time.GetUtcNow()) with { SizeRw = await services.Containers.MeasureAsync(container.Id.Value, exchange.Stopping) });
        }

        await exchange.WriteJsonAsync(
            new DiskUsageAnswer
            {
                LayersSize = layers,
                Images = [.. images.Select(image => ImageWriter.List(image, containers.Count(container => container.Spec.ImageId == image.Id.ToString())) with { SharedSize = 0 })],
                Containers = entries,
                Volumes = [.. services.Containers.Volumes.List().Select(volume => VolumeEndpoints.Write(volume) with { UsageData = new VolumeUsage(services.Containers.Volumes.MeasureBytes(volume.Name), services.Containers.Volumes.CountUsers(volume.Name)) })],
            },
            DockerJson.Default.DiskUsageAnswer);
    }

    private async Task CheckCredentialsAsync(Exchange exchange)
    {
        var body = await exchange.RequireJsonAsync(DockerJson.Default.AuthBody);
        var server = RegistryCredentialsHeader.ServerName(body.ServerAddress);
        await services.Images.CheckCredentialsAsync(server, RegistryCredentialsHeader.Read(body), exchange.Stopping);
        await exchange.WriteJsonAsync(new AuthAnswer("Login Succeeded", ""), DockerJson.Default.AuthAnswer);
    }
}
