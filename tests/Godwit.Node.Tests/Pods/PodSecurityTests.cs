using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Containers;
using Godwit.Images;
using Godwit.Node.Pods;
using Godwit.Oci;

namespace Godwit.Node.Tests.Pods;

/// <summary>What a pod's and a container's security context come to for the engine.</summary>
public sealed class PodSecurityTests
{
    [Fact]
    public void A_containers_own_word_counts_before_its_pods_and_the_images()
    {
        var pod = new PodSecurityContext { RunAsUser = 1000, RunAsGroup = 2000, FsGroup = 3000, SupplementalGroups = [4000] };
        Assert.Equal("7:7", Build(new PodSecurityContext(), new SecurityContext(), image: "7:7").Process.User);
        Assert.Equal("1000:2000", Build(pod, null, image: "7:7").Process.User);
        Assert.Equal(["4000", "3000"], Build(pod, null).Process.SupplementaryGroups);
        Assert.Equal("5:2000", Build(pod, new SecurityContext { RunAsUser = 5 }).Process.User);
        Assert.Equal("5:6", Build(pod, new SecurityContext { RunAsUser = 5, RunAsGroup = 6 }).Process.User);
        Assert.Equal("5", Build(new PodSecurityContext(), new SecurityContext { RunAsUser = 5 }).Process.User);
    }

    [Fact]
    public void Privileges_capabilities_the_root_and_system_calls_are_as_it_says()
    {
        var usual = Build(null, null).Isolation;
        Assert.Equal((false, false, false), (usual.Privileged, usual.NoNewPrivileges, usual.ReadOnlyRoot));
        Assert.IsType<SystemCallFilter.Standard>(usual.SystemCalls);
        var tight = Build(null, new SecurityContext
        {
            AllowPrivilegeEscalation = false,
            ReadOnlyRootFilesystem = true,
            Capabilities = new Capabilities { Drop = ["ALL"], Add = ["NET_BIND_SERVICE"] },
        }).Isolation;
        Assert.Equal((true, true), (tight.NoNewPrivileges, tight.ReadOnlyRoot));
        Assert.Equal(["ALL"], tight.CapabilitiesDropped);
        Assert.Equal(["NET_BIND_SERVICE"], tight.CapabilitiesAdded);
        Assert.True(Build(null, new SecurityContext { Privileged = true }).Isolation.Privileged);

        var open = new PodSecurityContext { SeccompProfile = new SeccompProfile { Type = "Unconfined" } };
        Assert.IsType<SystemCallFilter.None>(Build(open, null).Isolation.SystemCalls);
        Assert.IsType<SystemCallFilter.Standard>(Build(open, new SecurityContext { SeccompProfile = new SeccompProfile { Type = "RuntimeDefault" } }).Isolation.SystemCalls);
        Assert.Equal("1", Build(new PodSecurityContext { Sysctls = [new Sysctl { Name = "net.ipv4.ip_unprivileged_port_start", Value = "1" }] }, null).Isolation.KernelSettings["net.ipv4.ip_unprivileged_port_start"]);
    }

    [Theory]
    [InlineData(null, "", "will run as root")]
    [InlineData(null, "root", "will run as root")]
    [InlineData(0L, "1000", "will run as root")]
    [InlineData(null, "nobody", "non-numeric user (nobody)")]
    [InlineData(null, "1000", null)]
    [InlineData(1000L, "root", null)]
    public void Who_must_not_be_root_is_not_started_as_root_nor_as_somebody_who_may_be(long? user, string image, string? words)
    {
        foreach (var isPods in new[] { false, true })
        {
            var build = () => Build(new PodSecurityContext { RunAsNonRoot = isPods ? true : null, RunAsUser = user }, isPods ? null : new SecurityContext { RunAsNonRoot = true }, image);
            if (words is null)
            {
                build();
            }
            else
            {
                Assert.Contains(words, Assert.Throws<PodConfigException>(() => build()).Message, StringComparison.Ordinal);
            }
        }

        Build(new PodSecurityContext { RunAsNonRoot = true }, new SecurityContext { RunAsNonRoot = false }, image: ""); // The container's word counts.
    }

    private static ContainerSpec Build(PodSecurityContext? ofPod, SecurityContext? own, string image = "")
    {
        var container = new Container { Name = "main", Image = "box:1", SecurityContext = own };
        var pod = new Pod { Metadata = new ObjectMeta { Namespace = "default", Name = "p", Uid = "u" }, Spec = new PodSpec { Containers = [container], SecurityContext = ofPod } };
        var facts = new PodContainerFacts
        {
            Image = new StoredImage
            {
                Id = Digest.Parse("sha256:" + new string('a', 64)),
                Config = new ImageConfig { Architecture = "amd64", OperatingSystem = "linux", RootFileSystem = new RootFileSystem { Type = "layers", DiffIds = [] }, Config = new ImageDefaults { User = image } },
                Tags = [],
                RepositoryDigests = [],
                Layers = [],
            },
            HostName = "p",
            ControlGroup = "/pods/u",
            Environment = new Dictionary<string, string>(),
            Mounts = [],
        };
        return PodContainers.Build(pod, new PodStep.Start(container, 0, 0), facts);
    }
}
