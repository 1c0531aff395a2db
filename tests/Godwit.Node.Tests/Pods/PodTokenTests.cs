using System.Buffers.Text;
using System.Text;
using CsCheck;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Linux.Files;
using Godwit.Node.Pods;
using Godwit.Node.Tests.Clusters;

namespace Godwit.Node.Tests.Pods;

public sealed class PodTokenTests
{
    [Fact]
    public void A_token_is_replaced_within_its_time_and_one_that_cannot_be_read_at_once()
    {
        Gen.Select(Gen.Long[1_000_000_000, 4_000_000_000], Gen.Long[600, 100_000_000]).Sample((since, life) =>
        {
            var token = $"head.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes($$"""{"iat":{{since}},"exp":{{since + life}}}"""))}.proof";
            var at = PodTokens.RefreshAt(token).ToUnixTimeSeconds() - since;
            return at >= Math.Min(life / 2, 86_000) && at <= Math.Min(life, 86_400);
        });
        Gen.String.Sample(garbage => PodTokens.RefreshAt(garbage) == DateTimeOffset.MinValue);
        Assert.Equal(DateTimeOffset.MinValue, PodTokens.RefreshAt("a.e30.b"));
    }

    [Fact]
    [Trait("Needs", "root")]
    public async Task A_volume_holds_a_token_of_the_pod_and_another_one_before_it_ends()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "volumes in memory are mounted: run as root");
        await using var cluster = await TestCluster.StartAsync();
        var pod = await cluster.Admin.For<Pod>().CreateAsync(
            new Pod { Metadata = new ObjectMeta { Name = "p", Namespace = "default" }, Spec = new PodSpec { Containers = [new Container { Name = "c", Image = "i" }] } }, TestCluster.Stopping);
        var volume = Assert.Single(pod.Spec.Volumes);
        var folder = Path.Combine(cluster.Folder, "volumes");
        var volumes = new PodVolumes(folder, "10.66.0.11", new ClaimedVolumes(Path.Combine(folder, "claimed")));
        try
        {
            var objects = new PodObjects(cluster.Admin, "default");
            Assert.Null(await volumes.RefreshTokensAsync(pod, objects, DateTimeOffset.MinValue, TestCluster.Stopping));
            var place = await volumes.PrepareAsync(pod, pod.Spec.Containers[0], volume, objects, TestCluster.Stopping);
            var (token, authority) = (Read("token"), Read("ca.crt"));
            Assert.Equal(cluster.Server.AuthorityPem + "\n", authority);
            Assert.Equal("default", Read("namespace"));
            Assert.Equal(place, await volumes.PrepareAsync(pod, pod.Spec.Containers[0], volume, objects, TestCluster.Stopping));
            Assert.Equal(token, Read("token"));

            var due = (await volumes.RefreshTokensAsync(pod, objects, DateTimeOffset.MinValue, TestCluster.Stopping))!.Value;
            Assert.Equal(token, Read("token"));
            Assert.True(await volumes.RefreshTokensAsync(pod, objects, due, TestCluster.Stopping) >= due);
            Assert.NotEqual(token, Read("token"));
            Assert.Equal((authority, "default"), (Read("ca.crt"), Read("namespace")));
            Assert.Equal((UnixFileMode)0b110_100_100, File.GetUnixFileMode(Path.Combine(place, "..data", "token")));
            Assert.Single(Directory.EnumerateDirectories(place, "..*"), path => new DirectoryInfo(path).LinkTarget is null);

            string Read(string file) => File.ReadAllText(Path.Combine(place, file));
        }
        finally
        {
            volumes.Remove(pod.Metadata.Uid);
            Mounts.Unmount(folder);
        }
    }
}
