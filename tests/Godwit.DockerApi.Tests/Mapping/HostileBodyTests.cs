using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Containers;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Images;
using Godwit.Oci;

namespace Godwit.DockerApi.Tests.Mapping;

/// <summary>Bodies that no honest client sends: each is understood or refused in words, and never the engine's fault.</summary>
public sealed class HostileBodyTests
{
    private const string Container = """
        {"Image":"app","Hostname":"box","Domainname":"d","User":"u","Tty":true,"OpenStdin":true,"StdinOnce":true,"Env":["A=own","GONE"],"Cmd":["-v"],"Entrypoint":["/e"],"Labels":{"x":"y"},"StopTimeout":3,"StopSignal":"TERM",
         "WorkingDir":"/w","MacAddress":"02:00:00:00:00:01","Volumes":{"/v":{}},"ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":2000000000,"Retries":3},
         "HostConfig":{"Binds":["/host:/in:ro,rslave","data:/data"],"Mounts":[{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true,"BindOptions":{"Propagation":"rslave"}},{"Type":"volume","Source":"v","Target":"/c","VolumeOptions":{"NoCopy":true}},{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":5}}],
          "Tmpfs":{"/tmp":"size=64m,mode=700,noexec"},"NetworkMode":"front","PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]},"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":4},
          "Memory":104857600,"MemorySwap":-1,"NanoCpus":500000000,"CpuShares":5,"CpusetCpus":"0","PidsLimit":50,"BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":5}],"CapAdd":["NET_ADMIN"],"CapDrop":["ALL"],"SecurityOpt":["no-new-privileges","seccomp=unconfined"],
          "Ulimits":[{"Name":"nofile","Soft":100,"Hard":200}],"LogConfig":{"Type":"json-file","Config":{"max-size":"10m","max-file":"3"}},"ConsoleSize":[24,80],"PidMode":"host","IpcMode":"private","UTSMode":"","Init":true,"ShmSize":0,
          "Dns":["1.1.1.1"],"DnsSearch":["a"],"DnsOptions":["b"],"ExtraHosts":["a:1.2.3.4"],"GroupAdd":["1"],"Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":"r"}],"DeviceCgroupRules":["c 1:3 r"],
          "Sysctls":{"net.core.somaxconn":"5"},"StorageOpt":{"size":"1g"},"MaskedPaths":["/a"],"ReadonlyPaths":["/b"],"Annotations":{"a":"b"},"VolumesFrom":["other:ro"],"CgroupParent":"p"},
         "NetworkingConfig":{"EndpointsConfig":{"front":{"Aliases":["www"],"IPAMConfig":{"IPv4Address":"10.0.0.9"},"DriverOpts":{"a":"b"}}}}}
        """;

    private const string Network = """
        {"Name":"n","Driver":"bridge","Internal":true,"Attachable":true,"EnableIPv6":true,"Labels":{"a":"b"},"Options":{"com.docker.network.driver.mtu":"1400"},"Scope":"local",
         "IPAM":{"Driver":"default","Options":{"a":"b"},"Config":[{"Subnet":"10.0.0.0/24","Gateway":"10.0.0.1","IPRange":"10.0.0.0/25","AuxiliaryAddresses":{"a":"10.0.0.5"}}]}}
        """;

    private static readonly string[] Strange =
    [
        "null", "-1", "0", "9223372036854775807", "1e300", "\"\"", "\"\\u0000\"", "\"/\"", "\":\"", "\"::::\"", "\"../../x\"", "true", "[]", "{}", "[null]", "[\"\"]", "[[]]", "[{}]", "{\"\":null}", "{\"a\":null}", "{\"a\":[null]}", "\"a=b=c\"",
        "\"" + new string('x', 70_000) + "\"",
    ];

    [Fact]
    public void Whatever_stands_in_a_containers_body_is_understood_or_refused() => Sample(Container, body =>
    {
        if (JsonBody.Read(body, DockerJson.Default.CreateContainerBody) is { } read)
        {
            new SpecReader(Image(), _ => throw new NotThereException("No such container"), hasUserNamespaces: true).Read(read);
        }
    });

    [Fact]
    public void Whatever_stands_in_a_networks_body_is_understood_or_refused() => Sample(Network, body =>
    {
        if (JsonBody.Read(body, DockerJson.Default.CreateNetworkBody) is { } read)
        {
            NetworkWriter.Read(read);
        }
    });

    [Fact]
    public void Whatever_stands_in_an_update_is_understood_or_refused() => Sample("""{"Memory":5000000,"MemorySwap":-1,"CpuQuota":5,"CpusetCpus":"0-1","PidsLimit":4,"BlkioWeight":100,"RestartPolicy":{"Name":"always","MaximumRetryCount":0}}""", body =>
    {
        if (JsonBody.Read(body, DockerJson.Default.UpdateContainerBody) is { } read)
        {
            ResourceReader.ReadUpdate(read);
            SpecReader.ReadRestart(read.RestartPolicy);
        }
    });

    /// <summary>Puts something strange in the place of any value of an honest body.</summary>
    private static void Sample(string honest, Action<byte[]> read)
    {
        var places = Places(JsonNode.Parse(honest)!, []).ToList();
        Gen.Select(Gen.Int[0, places.Count - 1], Gen.Int[0, Strange.Length - 1], Gen.Int[0, places.Count - 1], Gen.Int[0, Strange.Length - 1]).Sample((place, value, other, otherValue) =>
        {
            var body = JsonNode.Parse(honest)!;
            Put(body, places[place], Strange[value]);
            Put(body, places[other], Strange[otherValue]);
            try
            {
                read(JsonSerializer.SerializeToUtf8Bytes(body));
            }
            catch (Exception refusal) when (refusal is DockerException or ContainerException or ImageException)
            {
                // In words, with a status that is the client's.
                Assert.True(DockerErrors.Describe(refusal).Status < 500, refusal.ToString());
            }
        }, iter: 5_000);
    }

    private static IEnumerable<IReadOnlyList<object>> Places(JsonNode? node, IReadOnlyList<object> path)
    {
        if (path.Count > 0)
        {
            yield return path;
        }

        var below = node switch
        {
            JsonObject map => map.Select(pair => ((object)pair.Key, pair.Value)),
            JsonArray list => list.Select((item, index) => ((object)index, item)),
            _ => [],
        };
        foreach (var place in below.SelectMany(child => Places(child.Item2, [.. path, child.Item1])))
        {
            yield return place;
        }
    }

    private static void Put(JsonNode body, IReadOnlyList<object> path, string value)
    {
        var holder = body;
        foreach (var step in path.SkipLast(1))
        {
            holder = (step, holder) switch
            {
                (string name, JsonObject map) => map[name],
                (int index, JsonArray list) when index < list.Count => list[index],
                _ => null,
            };
        }

        switch (path[^1], holder)
        {
            case (string name, JsonObject map):
                map[name] = JsonNode.Parse(value);
                break;
            case (int index, JsonArray list) when index < list.Count:
                list[index] = JsonNode.Parse(value);
                break;
        }
    }

    private static StoredImage Image() => new()
    {
        Id = Digest.Of("image"u8),
        Config = new ImageConfig { Architecture = "amd64", OperatingSystem = "linux", RootFileSystem = new RootFileSystem { DiffIds = [] }, Config = new ImageDefaults { Cmd = ["server"] } },
        Tags = [],
        RepositoryDigests = [],
        Layers = [],
    };
}
