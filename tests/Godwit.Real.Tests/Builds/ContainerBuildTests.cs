using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Godwit.Builder;
using Godwit.Builder.Building;
using Godwit.Containers;
using Godwit.Images;
using Godwit.Images.Tar;
using Godwit.Linux.Files;
using Godwit.Oci;
using Godwit.Real.Tests.Labs;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Real.Tests.Builds;

/// <summary>Builds whose RUN is a real program in a real container, over real layers.</summary>
[Trait("Needs", "crun")]
public sealed class ContainerBuildTests : IAsyncLifetime
{
    private readonly string folder = Path.Combine("/var/tmp", string.Create(CultureInfo.InvariantCulture, $"gwb-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..6]}"));
    private ImageStore images = null!;
    private ContainerEngine engine = null!;
    private EngineOptions options = null!;
    private OwnSubnets? subnets;

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private string Context => Directory.CreateDirectory(Path.Combine(folder, "context")).FullName;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root: builds run containers, which get namespaces, mounts and cgroups");
        Assert.SkipUnless(File.Exists("/usr/bin/crun") && File.Exists("/usr/bin/conmon"), "needs crun and conmon: install the packages of these names");
        Assert.SkipUnless(File.Exists("/bin/busybox"), "needs busybox: install the package busybox-static");
        var unique = Apart.Short();
        subnets = OwnSubnets.Take();
        options = new EngineOptions
        {
            DataFolder = Path.Combine(folder, "data"),
            RunFolder = Path.Combine(folder, "run"),
            ControlGroup = $"gwb-{unique}",
            DevicePrefix = $"gb{unique}",
            FilterTable = $"gwb-{unique}",
            AddressPools = [subnets.Pool],
        };
        Directory.CreateDirectory(options.DataFolder);
        var place = Path.Combine(folder, "images");
        images = ImageStore.Open(new ImageStoreOptions { Folder = place }, TimeProvider.System, NullLogger<ImageStore>.Instance);
        engine = await ContainerEngine.OpenAsync(options, new ImageRootFileSystems(place, images), TimeProvider.System, NullLogger.Instance, Stopping);
        await ImportBusyboxAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (engine is not null)
        {
            await engine.Networks.RemoveFromHostAsync(CancellationToken.None);
            await engine.DisposeAsync();
            images.Dispose();
            foreach (var mount in Mounts.List().Where(mount => mount.Path.StartsWith(folder, StringComparison.Ordinal)).Reverse())
            {
                Mounts.Unmount(mount.Path);
            }

            foreach (var group in Directory.EnumerateDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup").Select(each => Path.Combine(each, options.ControlGroup)).Where(Directory.Exists))
            {
                Directory.Delete(group);
            }

            using var parent = HeldFolder.Open("/var/tmp");
            parent.Remove(Encoding.UTF8.GetBytes(Path.GetFileName(folder)));
        }

        subnets?.Dispose();
    }

    [Fact]
    public async Task Programs_run_with_their_variables_user_and_mounts_and_what_they_change_is_a_layer()
    {
        await File.WriteAllTextAsync(Path.Combine(Context, "given"), "from the context", Stopping);
        var printed = new Printed();
        var image = await BuildAsync(
            """
            FROM busybox AS made
            ARG WHO
            ENV GREETING=hello
            WORKDIR /work
            RUN echo "$GREETING $WHO from $PWD" | tee said && id -u
            RUN rm /bin/extra && mkdir -p /deep/er && ln -s /work/said /deep/er/link
            USER 1000
            RUN --mount=type=bind,target=/bound --mount=type=tmpfs,target=/memory id -u && cat /bound/given && echo x > /memory/x
            USER 0
            RUN --mount=type=cache,target=/kept echo once >> /kept/lines; wc -l < /kept/lines
            RUN <<EOF
            set -e
            echo a script > /script
            chmod 4755 /script
            EOF
            FROM busybox
            COPY --from=made /work/said /script /deep/ /result/
            """,
            printed);
        var output = printed.Text;
        Assert.Contains("hello world from /work", output, StringComparison.Ordinal);
        Assert.Contains("1000\nfrom the context", output, StringComparison.Ordinal);

        var root = await images.Layers.PrepareAsync(image, "look", sizeLimitBytes: null, Stopping);
        try
        {
            Assert.Equal("hello world from /work\n", await File.ReadAllTextAsync(Path.Combine(root.RootPath, "result/said"), Stopping));
            Assert.Equal(UnixFileMode.SetUser, File.GetUnixFileMode(Path.Combine(root.RootPath, "result/script")) & UnixFileMode.SetUser);
            Assert.True(File.Exists(Path.Combine(root.RootPath, "bin/extra"))); // The other stage's removal is not this one's.
        }
        finally
        {
            root.Remove();
        }

        Assert.Empty(engine.List());
        Assert.Empty(images.Layers.List());
    }

    [Fact]
    public async Task A_program_that_fails_ends_the_build_and_its_container_is_gone()
    {
        var printed = new Printed();
        var failure = await Assert.ThrowsAsync<BuildException>(() => BuildAsync("FROM busybox\nRUN echo oh no >&2; exit 3\n", printed));
        Assert.Equal((3, 2), (failure.ExitCode, failure.Line));
        Assert.Contains("oh no", printed.Text, StringComparison.Ordinal);
        Assert.Empty(engine.List());
        Assert.Empty(images.Layers.List());
    }

    private Task<StoredImage> BuildAsync(string dockerfile, Printed printed) => new ImageBuilder(images, new ContainerStepRunner(engine, images), Path.Combine(folder, "builder"), TimeProvider.System).BuildAsync(
        new BuildRequest
        {
            ContextFolder = Context,
            Dockerfile = dockerfile,
            Names = [new ReferenceRules().Parse("made")],
            Network = "none",
            Arguments = new Dictionary<string, string?>(StringComparer.Ordinal) { ["WHO"] = "world" },
        },
        printed,
        Stopping);

    private async Task ImportBusyboxAsync()
    {
        using var bytes = new MemoryStream();
        var tar = new TarWriter(bytes);
        tar.Add(new TarEntry { Name = "bin/busybox"u8.ToArray(), Kind = TarKind.File, Mode = 0x1ed }, await File.ReadAllBytesAsync("/bin/busybox", Stopping));
        foreach (var applet in new[] { "sh", "echo", "tee", "id", "rm", "mkdir", "ln", "cat", "wc", "chmod", "extra" })
        {
            tar.Add(new TarEntry { Name = Encoding.ASCII.GetBytes($"bin/{applet}"), Kind = TarKind.SymbolicLink, Mode = 0x1ff, LinkTarget = "busybox"u8.ToArray() });
        }

        tar.Add(new TarEntry { Name = "tmp/"u8.ToArray(), Kind = TarKind.Folder, Mode = 0x3ff });
        tar.End();
        bytes.Position = 0;
        await images.ImportAsync(bytes, new ImageStep { Config = new ImageDefaults { Env = ["PATH=/bin"] }, History = new HistoryEntry(), Name = new ReferenceRules().Parse("busybox:latest") }, new NoTransfers(), Stopping);
    }

    private sealed class Printed : IProgress<BuildEvent>
    {
        private readonly ConcurrentQueue<byte[]> pieces = new();

        public string Text => Encoding.UTF8.GetString([.. pieces.SelectMany(piece => piece)]);

        public void Report(BuildEvent value)
        {
            if (value is BuildEvent.StepPrints prints)
            {
                pieces.Enqueue(prints.Bytes);
            }
        }
    }

    private sealed class NoTransfers : IProgress<TransferProgress>
    {
        public void Report(TransferProgress value)
        {
        }
    }
}
