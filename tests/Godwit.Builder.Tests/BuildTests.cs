using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Godwit.Builder.Building;
using Godwit.Images;
using Godwit.Images.Tar;
using Godwit.Linux.Files;
using Godwit.Oci;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Builder.Tests;

/// <summary>Whole builds, with a double in place of containers: what is cached, copied, configured and left out.</summary>
[Trait("Needs", "root")]
public sealed class BuildTests : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory($"godwit-builder-{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}-").FullName;
    private ImageStore images = null!;
    private FakeRunner runner = null!;
    private Heard heard = new();

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private string Context => Directory.CreateDirectory(Path.Combine(folder, "context")).FullName;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(Environment.UserName == "root", "This test mounts roots and owns files: run it as root.");
        images = ImageStore.Open(new ImageStoreOptions { Folder = Path.Combine(folder, "images") }, TimeProvider.System, NullLogger<ImageStore>.Instance);
        runner = new FakeRunner(images);
        using var tar = new MemoryStream();
        var writer = new TarWriter(tar);
        writer.Add(new TarEntry { Name = "etc/passwd"u8.ToArray(), Kind = TarKind.File, Mode = 0x1a4 }, "root:x:0:0::/:/bin/sh\nme:x:1000:1000::/:/bin/sh\n"u8);
        writer.Add(new TarEntry { Name = "tmp/"u8.ToArray(), Kind = TarKind.Folder, Mode = 0x3ff });
        writer.End();
        tar.Position = 0;
        await images.ImportAsync(tar, new ImageStep { Config = new ImageDefaults { Env = ["PATH=/bin"], Cmd = ["/bin/sh"], OnBuild = null }, History = new HistoryEntry(), Name = new ReferenceRules().Parse("base:1") }, new NoTransfers(), Stopping);
    }

    public ValueTask DisposeAsync()
    {
        images?.Dispose();
        using var parent = HeldFolder.Open(Path.GetDirectoryName(folder)!);
        parent.Remove(Encoding.UTF8.GetBytes(Path.GetFileName(folder)));
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_stage_copies_from_another_and_what_nobody_needs_is_not_built()
    {
        Write("src/main.c", "int main;");
        var image = await BuildAsync("""
            ARG BASE=base
            FROM ${BASE}:1 AS build
            COPY src/ /work/
            RUN write /work/out built
            FROM base:1 AS unused
            RUN fail 1
            FROM base:1
            COPY --from=build --chown=me:7 /work/out /bin/app
            ENV NAME=app PORT=80
            EXPOSE $PORT 100-101/udp
            ENTRYPOINT ["/bin/app"]
            """);
        Assert.Equal(["write /work/out built"], runner.Commands);
        Assert.Equal("built", await ReadAsync(image, "bin/app"));
        Assert.Equal((1000u, 7u), await OwnerAsync(image, "bin/app"));
        Assert.False(await HasAsync(image, "work"));
        Assert.Equal(["PATH=/bin", "NAME=app", "PORT=80"], image.Config.Config!.Env!);
        Assert.Equal(["100/udp", "101/udp", "80/tcp"], image.Config.Config.ExposedPorts!.Keys.Order(StringComparer.Ordinal));
        Assert.Null(image.Config.Config.Cmd); // An ENTRYPOINT of one's own does away with the base's CMD.
        Assert.Equal("made:latest", image.DisplayName);
    }

    [Fact]
    public async Task Nothing_is_carried_out_again_until_what_it_depends_on_changes()
    {
        const string file = "FROM base:1\nARG V=1\nCOPY a b* /x/\nRUN write /y $V\nLABEL l=1\n";
        Write("a", "1");
        Write("bb", "2");
        var first = await BuildAsync(file);
        Write("a", "1"); // Touched, but the same.
        Assert.Equal(first.Id, (await BuildAsync(file)).Id);
        Assert.Equal(3, heard.All.OfType<BuildEvent.StepCached>().Count());
        Assert.Single(runner.Commands);

        Write("bb", "changed");
        Assert.NotEqual(first.Id, (await BuildAsync(file)).Id);
        Assert.Equal(2, runner.Commands.Count);
        await BuildAsync(file, request => request with { Arguments = new Dictionary<string, string?>(StringComparer.Ordinal) { ["V"] = "2" } });
        Assert.Equal(3, runner.Commands.Count);
        await BuildAsync(file, request => request with { NoCache = true });
        Assert.Equal(4, runner.Commands.Count);
    }

    [Fact]
    public async Task With_a_source_date_the_same_inputs_give_the_same_image_byte_for_byte()
    {
        Write("a", "1");
        var request = (BuildRequest each) => each with { NoCache = true, SourceDateEpochSeconds = 1_600_000_000 };
        var first = await BuildAsync("FROM base:1\nCOPY a /a\nRUN write /b x\nWORKDIR /new/folder\n", request);
        File.SetLastWriteTimeUtc(Path.Combine(Context, "a"), DateTime.UnixEpoch.AddSeconds(1_700_000_000));
        var second = await BuildAsync("FROM base:1\nCOPY a /a\nRUN write /b x\nWORKDIR /new/folder\n", request);
        Assert.Equal(first.Id, second.Id);
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1_600_000_000), second.Config.Created);
    }

    [Fact]
    public async Task Files_go_where_docker_puts_them()
    {
        Write("one", "1");
        Write("folder/two", "2");
        Write("folder/deep/three", "3");
        Directory.CreateSymbolicLink(Path.Combine(Context, "door"), "folder/deep");
        var image = await BuildAsync("""
            FROM base:1
            WORKDIR /w
            COPY one renamed
            COPY one into/
            COPY folder copied
            COPY --chmod=700 one folder/t* /many/
            COPY one /tmp
            COPY door /opened
            COPY <<EOF <<"raw" /docs/
            v=$PATH
            EOF
            v=$PATH
            raw
            """);
        Assert.Equal("1", await ReadAsync(image, "w/renamed"));
        Assert.Equal("1", await ReadAsync(image, "w/into/one"));
        Assert.Equal("3", await ReadAsync(image, "w/copied/deep/three"));
        Assert.Equal("2", await ReadAsync(image, "many/two"));
        Assert.Equal("1", await ReadAsync(image, "tmp/one"));
        Assert.Equal("3", await ReadAsync(image, "opened/three"));
        Assert.Equal("v=/bin\n", await ReadAsync(image, "docs/EOF"));
        Assert.Equal("v=$PATH\n", await ReadAsync(image, "docs/raw"));
        Assert.Equal((0x3ffu, 0x1c0u), (await ModeAsync(image, "tmp"), await ModeAsync(image, "many/two")));
    }

    [Theory]
    [InlineData("COPY ../../../../../../../../etc/hostname /x")]
    [InlineData("COPY /etc/hostname /x")]
    [InlineData("COPY out/hostname /x")]
    [InlineData("COPY up/hostname /x")]
    [InlineData("COPY file /x")]
    [InlineData("ADD file /x")]
    public async Task No_source_leads_out_of_the_context(string step)
    {
        Directory.CreateSymbolicLink(Path.Combine(Context, "out"), "/etc");
        Directory.CreateSymbolicLink(Path.Combine(Context, "up"), "../../../../../../etc");
        File.CreateSymbolicLink(Path.Combine(Context, "file"), "/etc/hostname");
        var refusal = await Assert.ThrowsAsync<BuildException>(() => BuildAsync($"FROM base:1\n{step}\n"));
        Assert.Contains("file does not exist", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("xz")]
    [InlineData("bzip2")]
    public async Task Archives_that_xz_or_bzip2_made_are_unpacked_by_ADD_and_what_is_none_is_copied(string program)
    {
        Assert.SkipUnless(File.Exists($"/usr/bin/{program}"), $"needs {program}: run eng/setup.sh test");
        using var tar = new MemoryStream();
        var writer = new TarWriter(tar);
        writer.Add(new TarEntry { Name = "inside"u8.ToArray(), Kind = TarKind.File, Mode = 0x1a4 }, "in"u8);
        writer.End();
        await File.WriteAllBytesAsync(Path.Combine(Context, "archive"), tar.ToArray(), Stopping);
        await File.WriteAllTextAsync(Path.Combine(Context, "text"), "no archive", Stopping);
        using (var process = System.Diagnostics.Process.Start(program, [Path.Combine(Context, "archive"), Path.Combine(Context, "text")]))
        {
            await process.WaitForExitAsync(Stopping);
            Assert.Equal(0, process.ExitCode);
        }

        var image = await BuildAsync("FROM base:1\nADD archive.* /added/\nADD text.* /added/\n");
        Assert.Equal("in", await ReadAsync(image, "added/inside"));
        var suffix = program == "xz" ? "xz" : "bz2";
        Assert.NotEmpty(await ReadAsync(image, $"added/text.{suffix}"));
    }

    [Fact]
    public async Task Archives_are_unpacked_by_ADD_and_copied_by_COPY()
    {
        using var tar = new MemoryStream();
        var writer = new TarWriter(tar);
        writer.Add(new TarEntry { Name = "inside"u8.ToArray(), Kind = TarKind.File, Mode = 0x1a4 }, "in"u8);
        writer.End();
        await File.WriteAllBytesAsync(Path.Combine(Context, "archive"), tar.ToArray(), Stopping);
        var image = await BuildAsync("FROM base:1\nADD archive /added\nCOPY archive /copied\n");
        Assert.Equal("in", await ReadAsync(image, "added/inside"));
        Assert.Equal(tar.Length, (await ReadAsync(image, "copied")).Length);
    }

    [Fact]
    public async Task Triggers_run_in_the_build_upon_their_image_and_are_gone_then()
    {
        await BuildAsync("FROM base:1\nONBUILD RUN write /triggered yes\nONBUILD ENV T=1\n", request => request with { Names = [new ReferenceRules().Parse("parent:1")] });
        Assert.Empty(runner.Commands);
        var image = await BuildAsync("FROM parent:1\nRUN write /own yes\n");
        Assert.Equal(["write /triggered yes", "write /own yes"], runner.Commands);
        Assert.Contains("T=1", image.Config.Config!.Env!);
        Assert.Null(image.Config.Config.OnBuild);
    }

    [Fact]
    public async Task A_program_that_fails_ends_the_build_with_its_line_and_code()
    {
        var failure = await Assert.ThrowsAsync<BuildException>(() => BuildAsync("FROM base:1\nRUN write /a b\n\nRUN fail 7\n"));
        Assert.Equal((4, 7), (failure.Line, failure.ExitCode));
        Assert.Null(images.Find("made"));
        Assert.Empty(images.Layers.List());
    }

    [Fact]
    public async Task A_context_that_comes_as_a_tar_stays_in_its_folder_and_goes_with_it()
    {
        using var tar = new MemoryStream();
        var writer = new TarWriter(tar);
        writer.Add(new TarEntry { Name = "sub/Dockerfile"u8.ToArray(), Kind = TarKind.File, Mode = 0x1a4 }, "FROM base:1\n"u8);
        writer.Add(new TarEntry { Name = "way"u8.ToArray(), Kind = TarKind.SymbolicLink, Mode = 0x1ff, LinkTarget = "/etc"u8.ToArray() });
        writer.End();
        tar.Position = 0;
        string place;
        using (var context = await Contexts.BuildContext.ReceiveAsync(tar, Path.Combine(folder, "received"), Stopping))
        {
            place = context.Folder;
            Assert.Equal("FROM base:1\n", context.ReadDockerfile("./sub/Dockerfile"));
            Assert.Throws<BuildException>(() => context.ReadDockerfile("way/hostname"));
            Assert.Throws<BuildException>(() => context.ReadDockerfile("../../images/images.json"));
        }

        Assert.False(Directory.Exists(place));
    }

    [Fact]
    public void A_build_is_told_in_the_words_that_people_know()
    {
        var id = Digest.Of([]);
        BuildEvent[] events = [new BuildEvent.StepBegins(1, 2, "FROM a"), new BuildEvent.StepEnds(1, id), new BuildEvent.StepBegins(2, 2, "RUN b"), new BuildEvent.StepCached(2), new BuildEvent.StepEnds(2, id), new BuildEvent.Built(id, [new ReferenceRules().Parse("made")])];
        Assert.Equal("Step 1/2 : FROM a\n ---> e3b0c44298fc\nStep 2/2 : RUN b\n ---> Using cache\n ---> e3b0c44298fc\nSuccessfully built e3b0c44298fc\nSuccessfully tagged made:latest\n", string.Concat(events.Select(ClassicText.Of)));
    }

    [Fact]
    public async Task Secrets_are_mounted_for_their_step_and_are_in_no_image_key_or_word()
    {
        var secrets = (BuildRequest request) => request with { Secrets = new Dictionary<string, byte[]>(StringComparer.Ordinal) { ["s"] = "hush"u8.ToArray() } };
        string? seen = null, place = null;
        runner.Also = run => seen = File.ReadAllText(place = run.Mounts.Single().HostPath!);
        var image = await BuildAsync("FROM base:1\nRUN --mount=type=secret,id=s,target=/k write /a b\n", secrets);
        Assert.Equal("hush", seen);
        Assert.DoesNotContain("hush", Encoding.UTF8.GetString(OciFormat.Write(image.Config)), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.GetDirectoryName(place)));
        await Assert.ThrowsAsync<BuildException>(() => BuildAsync("FROM base:1\nRUN --mount=type=secret,id=other,required write /a b\n", secrets));
    }

    [Fact]
    public async Task Stages_that_do_not_need_each_other_are_built_at_the_same_time()
    {
        using var both = new CountdownEvent(2);
        runner.Also = _ =>
        {
            both.Signal();
            Assert.True(both.Wait(TimeSpan.FromSeconds(60)), "the other stage never began");
        };
        await BuildAsync("FROM base:1 AS a\nRUN write /a 1\nFROM base:1 AS b\nRUN write /b 1\nFROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\n");
        Assert.Equal(2, runner.Commands.Count);
    }

    private void Write(string name, string contents)
    {
        var path = Path.Combine(Context, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, contents);
    }

    private Task<StoredImage> BuildAsync(string dockerfile, Func<BuildRequest, BuildRequest>? change = null)
    {
        heard = new Heard();
        var request = new BuildRequest { ContextFolder = Context, Dockerfile = dockerfile, Names = [new ReferenceRules().Parse("made")] };
        return new ImageBuilder(images, runner, Path.Combine(folder, "builder"), TimeProvider.System).BuildAsync(change is null ? request : change(request), heard, Stopping);
    }

    private async Task<T> LookAsync<T>(StoredImage image, string path, Func<string, FileStatus?, T> look)
    {
        var root = await images.Layers.PrepareAsync(image, $"look{Guid.NewGuid():N}", sizeLimitBytes: null, Stopping);
        try
        {
            using var held = HeldFolder.Open(Path.GetDirectoryName(Path.Combine(root.RootPath, path))!);
            return look(Path.Combine(root.RootPath, path), held.Find(Encoding.UTF8.GetBytes(Path.GetFileName(path))));
        }
        finally
        {
            root.Remove();
        }
    }

    private Task<string> ReadAsync(StoredImage image, string path) => LookAsync(image, path, (full, _) => File.ReadAllText(full));

    private Task<bool> HasAsync(StoredImage image, string path) => LookAsync(image, path, (_, status) => status is not null);

    private Task<(uint, uint)> OwnerAsync(StoredImage image, string path) => LookAsync(image, path, (_, status) => (status!.Value.UserId, status.Value.GroupId));

    private Task<uint> ModeAsync(StoredImage image, string path) => LookAsync(image, path, (_, status) => status!.Value.Mode);

    /// <summary>Knows two programs: <c>write PATH TEXT</c>, where a text of $NAME is a variable, and <c>fail CODE</c>.</summary>
    private sealed class FakeRunner(ImageStore images) : IStepRunner
    {
        public ConcurrentQueue<string> Commands { get; } = new();

        public Action<StepRun> Also { get; set; } = _ => { };

        public async Task<int> RunAsync(StepRun run, Action<bool, ReadOnlyMemory<byte>> output, Func<ImageLayer?, Task> keep, CancellationToken stopping)
        {
            Commands.Enqueue(run.Command[^1]);
            await Task.Run(() => Also(run), stopping);
            var words = run.Command[^1].Split(' ');
            if (words[0] == "fail")
            {
                return int.Parse(words[1], CultureInfo.InvariantCulture);
            }

            var root = await images.Layers.PrepareAsync(run.Image, $"run{Guid.NewGuid():N}", sizeLimitBytes: null, stopping);
            try
            {
                var text = words[2].StartsWith('$') ? run.Environment.First(each => each.StartsWith(words[2][1..] + "=", StringComparison.Ordinal)) : words[2];
                await File.WriteAllTextAsync(Path.Combine(root.RootPath, words[1].TrimStart('/')), text, stopping);
                await keep(await root.CommitAsync(stopping, run.Change));
                return 0;
            }
            finally
            {
                root.Remove();
            }
        }
    }

    private sealed class Heard : IProgress<BuildEvent>
    {
        public ConcurrentQueue<BuildEvent> All { get; } = new();

        public void Report(BuildEvent value) => All.Enqueue(value);
    }

    private sealed class NoTransfers : IProgress<TransferProgress>
    {
        public void Report(TransferProgress value)
        {
        }
    }
}
