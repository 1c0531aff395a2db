using System.Text.Json;
using Godwit.Containers;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Images;
using Godwit.Oci;

namespace Godwit.DockerApi.Tests.Mapping;

public sealed class SpecReaderTests
{
    private static readonly StoredImage Image = new()
    {
        Id = Digest.Of("image"u8),
        Config = new ImageConfig
        {
            Architecture = "amd64",
            OperatingSystem = "linux",
            RootFileSystem = new RootFileSystem { DiffIds = [] },
            Config = new ImageDefaults { Cmd = ["server"], Entrypoint = ["/start"], Env = ["A=image", "B=image"], WorkingDir = "/srv", User = "web" },
        },
        Tags = [],
        RepositoryDigests = [],
        Layers = [],
    };

    [Fact]
    public void What_the_CLI_sends_becomes_the_engines_words()
    {
        var spec = Read("""
            {"Image":"app","Hostname":"box","Tty":true,"OpenStdin":true,"Env":["A=own","GONE"],"Cmd":["-v"],"Labels":{"x":"y"},"StopTimeout":3,
             "ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":2000000000},
             "HostConfig":{"Binds":["/host:/in:ro,rslave","data:/data","/anonymous"],"Tmpfs":{"/tmp":"size=64m,mode=700,noexec"},"NetworkMode":"front",
              "PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"},{"HostIp":"","HostPort":"9000-9010"}]},"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":4},
              "AutoRemove":false,"Memory":104857600,"MemorySwap":-1,"NanoCpus":500000000,"PidsLimit":50,"CapAdd":["NET_ADMIN"],"CapDrop":["ALL"],"SecurityOpt":["no-new-privileges","seccomp=unconfined"],
              "Ulimits":[{"Name":"nofile","Soft":100,"Hard":200}],"LogConfig":{"Type":"json-file","Config":{"max-size":"10m","max-file":"3"}},"ConsoleSize":[24,80],"PidMode":"host","Init":true,"ShmSize":0},
             "NetworkingConfig":{"EndpointsConfig":{"back":null,"front":{"Aliases":["www"],"IPAMConfig":{"IPv4Address":"10.0.0.9"}}}}}
            """);
        Assert.Equal(["/start", "-v"], spec.Process.Arguments);
        Assert.Equal(["A=image", "B=image", "A=own"], spec.Process.Environment);
        Assert.Equal(("/srv", "web", "box", 3), (spec.Process.WorkingDirectory, spec.Process.User, spec.HostName, spec.Stop.TimeoutSeconds));
        Assert.Equal(new TerminalSize(24, 80), spec.Process.TerminalSize);
        Assert.Equal(new MountSpec.Bind("/host", "/in") { ReadOnly = true, Propagation = MountPropagation.RecursiveSlave, MakesSource = true }, spec.Mounts[0]);
        Assert.Equal(new MountSpec.Volume("data", "/data"), spec.Mounts[1]);
        Assert.True(spec.Mounts[2] is MountSpec.Volume { Anonymous: true, Target: "/anonymous" });
        Assert.True(spec.Mounts[3] is MountSpec.Memory { Target: "/tmp", SizeBytes: 64 << 20, Mode: 0x1c0, Options: ["noexec"] });
        Assert.Equal(["front", "back"], spec.Network.Endpoints.Select(endpoint => endpoint.Network));
        Assert.Equal("10.0.0.9", spec.Network.Endpoints[0].Address);
        Assert.Equal([new PublishedPort(80, "tcp", "127.0.0.1", 8080), new PublishedPort(80, "tcp", "", 9000, 9010)], spec.Network.Ports);
        Assert.Equal(new RestartPolicy(RestartMode.OnFailure, 4), spec.Restart);
        Assert.Equal((100L << 20, -1L, 50_000L, 50L), (spec.Resources.MemoryBytes!.Value, spec.Resources.MemoryAndSwapBytes!.Value, spec.Resources.CpuQuotaMicroseconds!.Value, spec.Resources.TasksMax!.Value));
        Assert.Equal([new ResourceLimitSpec("nofile", 100, 200)], spec.Resources.Limits);
        Assert.True(spec.Isolation is { NoNewPrivileges: true, SystemCalls: SystemCallFilter.None, ProcessNamespace: NamespaceSpec.OfHost, InitProcess: true });
        Assert.Equal((10L << 20, 3), (spec.Log.SizeBytesMax, spec.Log.FilesMax));
        Assert.Equal(["/bin/sh", "-c", "true"], spec.HealthCheck!.Command);
        Assert.Equal(TimeSpan.FromSeconds(2), spec.HealthCheck.Interval);
    }

    /// <summary>An image says how its program is to be stopped, a user says it otherwise: though it be what would be so if nobody had said anything.</summary>
    [Theory]
    [InlineData("", "SIGQUIT", 60)]
    [InlineData(""","StopSignal":"","StopTimeout":null""", "SIGQUIT", 60)]
    [InlineData(""","StopSignal":"SIGTERM" """, "SIGTERM", 60)]
    [InlineData(""","StopTimeout":10""", "SIGQUIT", 10)]
    [InlineData(""","StopSignal":"SIGINT","StopTimeout":3""", "SIGINT", 3)]
    public void How_it_is_stopped_is_the_users_word_before_the_images(string said, string signal, int seconds)
    {
        var image = Image with { Config = Image.Config with { Config = Image.Config.Config! with { StopSignal = "SIGQUIT", StopTimeout = 60 } } };
        var spec = Read($$"""{"Image":"app"{{said}}}""", image);
        Assert.Equal((signal, seconds), (spec.Stop.Signal, spec.Stop.TimeoutSeconds));
    }

    [Fact]
    public void What_is_read_back_makes_the_same_container_again()
    {
        var spec = Read("""{"Image":"app","HostConfig":{"Binds":["/host:/in:ro","data:/data:nocopy"],"Tmpfs":{"/tmp":"size=1k"},"NetworkMode":"none","PortBindings":{"53/udp":[{"HostIp":"","HostPort":"53"}]},"CapAdd":["SYS_TIME"],"Memory":16777216,"CpuShares":5,"RestartPolicy":{"Name":"always"},"SecurityOpt":["no-new-privileges"]}}""");
        var again = new SpecReader(Image, NoOther, hasUserNamespaces: false).Read(new CreateContainerBody { Image = "app", HostConfig = HostConfigWriter.Write(spec) });
        Assert.Equal(Json(HostConfigWriter.Write(spec)), Json(HostConfigWriter.Write(again)));
        Assert.Equal(spec.Mounts.Select(mount => mount.Target), again.Mounts.Select(mount => mount.Target));
        Assert.Equal(spec.Network.Ports, again.Network.Ports);
    }

    [Theory]
    [InlineData("""{"RestartPolicy":{"Name":"sometimes"}}""", "unknown policy 'sometimes'")]
    [InlineData("""{"Binds":["a:b:c:d"]}""", "invalid volume specification")]
    [InlineData("""{"Binds":["/a:/b:weird"]}""", "invalid mode: weird")]
    [InlineData("""{"Binds":["/a:/b"],"Tmpfs":{"/b/":""}}""", "Duplicate mount point")]
    [InlineData("""{"PortBindings":{"0/tcp":[]}}""", "invalid port specification")]
    [InlineData("""{"PortBindings":{"80/sctp":[]}}""", "godwit publishes tcp and udp")]
    [InlineData("""{"PortBindings":{"80/tcp":[{"HostPort":"99999"}]}}""", "invalid port specification")]
    [InlineData("""{"LogConfig":{"Type":"syslog"}}""", "no log driver named 'syslog'")]
    [InlineData("""{"NanoCpus":1}""", "range of CPUs")]
    [InlineData("""{"MemorySwap":5}""", "Memory limit when using Memoryswap")]
    [InlineData("""{"Links":["a:b"]}""", "--link")]
    [InlineData("""{"SecurityOpt":["magic=1"]}""", "magic=1")]
    [InlineData("""{"Mounts":[{"Type":"npipe","Target":"/x"}]}""", "mount type \"npipe\"")]
    [InlineData("""{"UsernsMode":"private"}""", "invalid user namespace mode")]
    public void What_makes_no_sense_is_refused_in_words(string host, string words)
    {
        var refusal = Assert.Throws<DockerException>(() => Read($$"""{"Image":"app","HostConfig":{{host}}}"""));
        Assert.Equal(400, refusal.Status);
        Assert.Contains(words, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("10", 10L)]
    [InlineData("1k", 1024L)]
    [InlineData("1.5m", 1_572_864L)]
    [InlineData("2GiB", 2L << 30)]
    [InlineData("512kb", 512L << 10)]
    public void Sizes_are_read_as_people_write_them(string text, long bytes) => Assert.Equal(bytes, Sizes.Parse("size", text));

    [Theory]
    [InlineData("")]
    [InlineData("ten")]
    [InlineData("5x")]
    [InlineData("99999999999p")]
    public void What_is_no_size_is_refused(string text) => Assert.Throws<DockerException>(() => Sizes.Parse("size", text));

    private static ContainerSpec Read(string json, StoredImage? image = null) => new SpecReader(image ?? Image, NoOther, hasUserNamespaces: false).Read(JsonSerializer.Deserialize(json, DockerJson.Default.CreateContainerBody)!);

    private static string Json(HostConfig host) => JsonSerializer.Serialize(new CreateContainerBody { HostConfig = host }, DockerJson.Default.CreateContainerBody);

    private static ContainerSnapshot NoOther(string name) => throw new NotThereException($"No such container: {name}");
}
