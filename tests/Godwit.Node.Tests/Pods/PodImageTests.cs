using System.Collections.Concurrent;
using System.Formats.Tar;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Images;
using Godwit.Node.Pods;
using Godwit.Node.Pulling;
using Godwit.Node.Tests.Clusters;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Node.Tests.Pods;

/// <summary>When a registry is asked for a pod's image, and with whose name. The registry here has nothing and notes who asks.</summary>
[Trait("Needs", "root")]
public sealed class PodImageTests : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory($"godwit-images-{Environment.ProcessId}-").FullName;
    private readonly ConcurrentQueue<string> asked = new();
    private WebApplication registry = null!;
    private TestCluster cluster = null!;
    private NodeImages store = null!;
    private PodImages images = null!;

    private string Repository => $"127.0.0.1:{new Uri(registry.Urls.Single()).Port}/box";

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "layers are unpacked with their owners: run as root");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        registry = builder.Build();
        registry.Run(http =>
        {
            var authorization = http.Request.Headers.Authorization.ToString();
            asked.Enqueue(authorization);
            http.Response.StatusCode = authorization.Length == 0 ? StatusCodes.Status401Unauthorized : StatusCodes.Status404NotFound;
            http.Response.Headers.WWWAuthenticate = "Basic realm=\"here\"";
            return Task.CompletedTask;
        });
        await registry.StartAsync(TestCluster.Stopping);
        cluster = await TestCluster.StartAsync();
        var archives = Directory.CreateDirectory(NodeImages.ArchivesFolder(folder)).FullName;
        WriteArchive(Path.Combine(archives, "box.tar"), $"{Repository}:1", $"{Repository}:latest");
        await File.WriteAllTextAsync(Path.Combine(archives, "torn.tar"), "no archive", TestCluster.Stopping);
        store = new NodeImages(cluster.AgentOptions("node-1") with { DataFolder = Path.Combine(folder, "data"), ImagesFolder = folder }, TimeProvider.System, NullLoggerFactory.Instance);
        images = new PodImages(store);
    }

    public async ValueTask DisposeAsync()
    {
        store?.Dispose();
        if (registry is not null)
        {
            await registry.DisposeAsync();
        }

        if (cluster is not null)
        {
            await cluster.DisposeAsync();
        }

        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData(":1", null, false)]
    [InlineData(":1", "IfNotPresent", false)]
    [InlineData(":1", "Never", false)]
    [InlineData(":1", "Always", true)]
    [InlineData("", null, true)]
    [InlineData(":latest", "IfNotPresent", false)]
    public async Task Of_an_image_that_is_there_the_registry_is_asked_when_the_policy_says_always(string tag, string? policy, bool isAsked)
    {
        var container = new Container { Name = "main", Image = Repository + tag, ImagePullPolicy = policy };
        if (isAsked)
        {
            Assert.Equal("ErrImagePull", (await Assert.ThrowsAsync<PodConfigException>(() => EnsureAsync(container))).Reason); // It has none.
        }
        else
        {
            Assert.Contains((await EnsureAsync(container)).Tags, name => name.ToString().EndsWith($"box{tag}", StringComparison.Ordinal));
        }

        Assert.Equal(isAsked, !asked.IsEmpty);
    }

    [Fact]
    public async Task What_is_not_there_is_asked_for_unless_the_policy_says_never_and_what_is_no_name_is_not_asked_for()
    {
        Assert.Equal("ErrImageNeverPull", (await Assert.ThrowsAsync<PodConfigException>(() => EnsureAsync(new Container { Image = Repository + ":2", ImagePullPolicy = "Never" }))).Reason);
        Assert.Equal("InvalidImageName", (await Assert.ThrowsAsync<PodConfigException>(() => EnsureAsync(new Container { Image = "Not A Name" }))).Reason);
        Assert.Empty(asked);
        Assert.Equal("ErrImagePull", (await Assert.ThrowsAsync<PodConfigException>(() => EnsureAsync(new Container { Image = Repository + ":2" }))).Reason);
        Assert.NotEmpty(asked);
    }

    [Fact]
    public async Task A_registry_is_shown_the_name_and_the_word_of_the_pods_secret_for_it()
    {
        var auth = Convert.ToBase64String("reader:secret"u8.ToArray());
        await cluster.Admin.For<Secret>().CreateAsync(
            new Secret
            {
                Metadata = new ObjectMeta { Name = "pull", Namespace = "default" },
                Use = "kubernetes.io/dockerconfigjson",
                Data = new Dictionary<string, byte[]> { [".dockerconfigjson"] = Encoding.UTF8.GetBytes(new JsonObject { ["auths"] = new JsonObject { [Repository.Split('/')[0]] = new JsonObject { ["auth"] = auth } } }.ToJsonString()) },
            },
            TestCluster.Stopping);
        await Assert.ThrowsAsync<PodConfigException>(() => EnsureAsync(new Container { Image = Repository + ":2" }, "none", "pull"));
        Assert.Contains($"Basic {auth}", asked);
    }

    private Task<StoredImage> EnsureAsync(Container container, params IEnumerable<string> secrets) => images.EnsureAsync(
        new Pod { Metadata = new ObjectMeta { Namespace = "default", Name = "p" }, Spec = new PodSpec { ImagePullSecrets = [.. secrets.Select(name => new LocalObjectReference { Name = name })] } },
        container,
        new PodObjects(cluster.Admin, "default"),
        TestCluster.Stopping);

    /// <summary>As <c>docker save</c> writes it, with one empty layer.</summary>
    private static void WriteArchive(string path, params IEnumerable<string> names)
    {
        using var layer = new MemoryStream();
        using (var files = new TarWriter(layer, leaveOpen: true))
        {
            files.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "etc"));
        }

        var config = new JsonObject
        {
            ["architecture"] = "amd64",
            ["os"] = "linux",
            ["config"] = new JsonObject(),
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray("sha256:" + Convert.ToHexStringLower(SHA256.HashData(layer.ToArray()))) },
        };
        var manifest = new JsonArray(new JsonObject { ["Config"] = "config.json", ["RepoTags"] = new JsonArray([.. names.Select(name => (JsonNode)name)]), ["Layers"] = new JsonArray("layer.tar") });
        using var tar = new TarWriter(File.Create(path));
        foreach (var (name, bytes) in new[] { ("config.json", Encoding.UTF8.GetBytes(config.ToJsonString())), ("layer.tar", layer.ToArray()), ("manifest.json", Encoding.UTF8.GetBytes(manifest.ToJsonString())) })
        {
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });
        }
    }
}
