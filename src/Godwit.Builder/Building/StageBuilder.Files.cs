using System.Text;
using Godwit.Builder.Contexts;
using Godwit.Builder.Dockerfiles;
using Godwit.Images;
using Godwit.Images.Layers;
using Godwit.Images.Tar;
using Godwit.Linux.Files;
using Godwit.Oci;

namespace Godwit.Builder.Building;

/// <summary>The steps that change files: COPY, ADD, WORKDIR, RUN.</summary>
internal sealed partial class StageBuilder
{
    private const int OutputShown = 1 << 20;

    private async Task CopyAsync(Step.Copy step)
    {
        var given = new Dictionary<string, GivenFile>(StringComparer.Ordinal);
        try
        {
            await CopyAsync(step, given);
        }
        finally
        {
            foreach (var file in given.Values)
            {
                file.Dispose();
            }
        }
    }

    private async Task CopyAsync(Step.Copy step, Dictionary<string, GivenFile> given)
    {
        var rules = Rules(step);
        var plan = await PlanAsync(step, rules, given);
        await using var tree = await OpenTreeAsync(step.Options.FromStage is { } from ? Expansion.Word(from, rules) : null, step.Line);
        plan = plan with { Owner = plan.Owner ?? (step.Options.FromStage is null ? (0u, 0u) : null) };
        var copying = new CopyStep(plan, tree.Root, stopping);
        var digest = await Task.Run(copying.Digest, stopping);
        var history = $"{step.Source.Name} {(step.Options.IsAdd ? "file" : "multi")}:{digest.Hex} in {plan.Destination} ";
        var key = BuildCache.KeyOf(Base, history, plan.Destination, step.Options.Owner ?? "", step.Options.Mode ?? "", Epoch, string.Join('\n', step.Options.Excludes), step.Options.KeepsParents.ToString());
        await ChangeRootAsync(history, key, copying.Copy);
    }

    private string Epoch => session.Epoch?.ToUnixTimeSeconds().ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "";

    /// <param name="given">Takes the files that lie in no tree; whoever has it disposes them.</param>
    private async Task<CopyPlan> PlanAsync(Step.Copy step, ExpansionRules rules, Dictionary<string, GivenFile> given)
    {
        foreach (var document in step.Source.Documents)
        {
            given[$"<<{document.Name}"] = GivenFile.Of(document.Name, document.IsExpanded ? Expansion.Document(document.Contents, rules) : document.Contents);
        }

        var sources = step.Sources.Select(written => written.StartsWith("<<", StringComparison.Ordinal) ? "<<" + written[2..].TrimStart('-').Trim('"', '\'') : Expansion.Word(written, rules)).ToList();
        var destination = Expansion.Word(step.Destination, rules);
        var path = "/" + CopySources.Clean(destination.StartsWith('/') ? destination : $"{state.WorkingDirectory}/{destination}");
        path = path.Length > 1 && (destination.EndsWith('/') || destination.EndsWith("/.", StringComparison.Ordinal) || destination == ".") ? path + "/" : path;
        if (sources.Count > 1 && !path.EndsWith('/'))
        {
            throw new BuildException($"When using {step.Source.Name} with more than one source file, the destination must be a directory and end with a /", step.Line);
        }

        if (step.Options.IsAdd)
        {
            Download.RefuseRepositories(sources, step.Line);
        }

        var checksum = ReadChecksum(step, sources, rules);
        foreach (var source in sources.Where(source => step.Options.IsAdd && Download.IsAddress(source) && !given.ContainsKey(source)))
        {
            given[source] = await new Download(session.Parts.Folder, new DownloadBounds(), session.Parts.Time).FetchAsync(source, checksum, step.Line, stopping);
        }

        return new CopyPlan
        {
            Sources = sources,
            Destination = path,
            Options = step.Options,
            Owner = step.Options.Owner is { } owner ? await ReadOwnerAsync(Expansion.Word(owner, rules), step.Line) : null,
            Mode = step.Options.Mode is { } mode ? CopyStep.ReadMode(Expansion.Word(mode, rules), step.Line) : null,
            Line = step.Line,
            Given = given,
        };
    }

    private static Digest? ReadChecksum(Step.Copy step, List<string> sources, ExpansionRules rules)
    {
        if (step.Options.Checksum is not { } written)
        {
            return null;
        }

        if (sources is not [var only] || !Download.IsAddress(only))
        {
            throw new BuildException("ADD --checksum goes with one source, and that an http or https address", step.Line);
        }

        var text = Expansion.Word(written, rules);
        return Digest.TryParse(text, out var checksum) ? checksum : throw new BuildException($"--checksum={text} is no digest such as sha256: with 64 hexadecimal digits", step.Line);
    }

    private async Task<(uint UserId, uint GroupId)> ReadOwnerAsync(string owner, int line)
    {
        if (owner.All(letter => char.IsAsciiDigit(letter) || letter == ':'))
        {
            using var nowhere = HeldFolder.Open(session.Parts.Folder);
            return CopyStep.ReadOwner(owner, nowhere, line);
        }

        await using var root = await MountAsync(state.Image);
        return CopyStep.ReadOwner(owner, root.Root, line);
    }

    /// <summary>What COPY takes from: the context, an earlier stage, or an image.</summary>
    private async Task<BuildTree> OpenTreeAsync(string? from, int line)
    {
        if (from is null)
        {
            return new BuildTree(HeldFolder.Open(session.Request.ContextFolder), layer: null);
        }

        if (session.Stages.Find(from, stage.Number) is { } below)
        {
            return await MountAsync((await session.ResultAsync(below, stopping)).Image);
        }

        return from.Length > 0 ? await MountAsync(await FetchAsync(from, session.Request.Platform)) : throw new BuildException("--from is empty", line);
    }

    private async Task<BuildTree> MountAsync(StoredImage? image)
    {
        var layer = await session.Parts.Images.Layers.PrepareAsync(image, $"build{Guid.NewGuid():N}", sizeLimitBytes: null, stopping);
        return new BuildTree(HeldFolder.Open(layer.RootPath), layer);
    }

    /// <summary>A step that changes files without a program: on a root of its own, whose changes become a layer.</summary>
    private async Task ChangeRootAsync(string history, Digest key, Action<HeldFolder> change)
    {
        key = BuildCache.KeyOf(key.ToString(), Digest.Of(OciFormat.Write(Snapshot())).ToString());
        if (await FindKnownAsync(key))
        {
            return;
        }

        await using var root = await MountAsync(state.Image);
        await Task.Run(() => change(root.Root), stopping);
        await RememberAsync(history, await root.Layer!.CommitAsync(stopping, session.Clamp), key);
    }

    private void MakeFolder(HeldFolder root, string path)
    {
        if (root.OpenBeneath(Encoding.UTF8.GetBytes(path.Trim('/'))) is { } present)
        {
            present.Dispose();
            return;
        }

        TreeCopy.Copy(tar => tar.Add(new TarEntry { Name = Encoding.UTF8.GetBytes(path.Trim('/') + "/"), Kind = TarKind.Folder, Mode = 0x1ed, Modified = new FileTime((session.Epoch ?? session.Parts.Time.GetUtcNow()).ToUnixTimeSeconds(), 0) }), root, new UnpackOptions(), stopping);
    }

    private async Task RunAsync(Step.Run step)
    {
        var image = state.Image ?? throw new BuildException("there is nothing to run in: the stage begins with nothing and has no files yet", step.Line);
        var command = RunCommand(step);
        var environment = state.RunEnvironment();
        var arguments = environment.Except(state.Config.Env ?? [], StringComparer.Ordinal).Where(entry => !entry.StartsWith("PATH=", StringComparison.Ordinal)).ToList();
        var history = arguments.Count > 0 ? $"RUN |{arguments.Count} {string.Join(' ', arguments)} {string.Join(' ', command)}" : $"RUN {string.Join(' ', command)}";
        var network = step.Network ?? session.Request.Network;
        await using var mounts = new RunMounts(session.Parts.Folder);
        var prepared = await mounts.PrepareAsync(step, this, stopping);
        var key = BuildCache.KeyOf([Base, history, network, Epoch, .. environment, .. step.Source.Flags.Select(flag => flag.ToString()), .. mounts.Digests, Digest.Of(OciFormat.Write(Snapshot())).ToString()]);
        if (await FindKnownAsync(key))
        {
            return;
        }

        var tail = new OutputTail(OutputShown);
        var run = new StepRun { Image = image, Command = command, Environment = environment, WorkingDirectory = state.WorkingDirectory, User = state.Config.User ?? "", Network = network, Mounts = prepared, Change = session.Clamp };
        var exit = await session.Parts.Runner.RunAsync(
            run,
            (isError, bytes) => Tell(new BuildEvent.StepPrints(number, isError, tail.Pass(bytes))),
            layer => RememberAsync(history, layer, key),
            stopping);
        if (exit != 0)
        {
            throw new BuildException($"The command '{string.Join(' ', command)}' returned a non-zero code: {exit}", step.Line) { ExitCode = exit };
        }
    }

    /// <summary>With a here-document the shell reads it; with a first line that names an interpreter, that one does.</summary>
    private IReadOnlyList<string> RunCommand(Step.Run step)
    {
        if (step.Source.Documents is not [var first, ..] || step.Command.Exec is not null)
        {
            return state.Line(step.Command);
        }

        var isOnlyDocument = step.Source.Documents.Count == 1 && step.Command.ShellText!.TrimStart().StartsWith("<<", StringComparison.Ordinal) && !step.Command.ShellText.Trim().Contains(' ', StringComparison.Ordinal);
        if (isOnlyDocument && !first.Contents.StartsWith("#!", StringComparison.Ordinal))
        {
            return [.. state.Shell, first.Contents];
        }

        if (isOnlyDocument)
        {
            // The script is written where it can be executed, and is gone when it ends.
            return [.. state.Shell, $"script=$(mktemp) && cat > \"$script\" <<'godwit_script_end' && chmod +x \"$script\" && \"$script\"; code=$?; rm -f \"$script\"; exit $code\n{first.Contents}godwit_script_end\n"];
        }

        var text = new StringBuilder(step.Command.ShellText).Append('\n');
        foreach (var document in step.Source.Documents)
        {
            text.Append(document.Contents).Append(document.Name).Append('\n');
        }

        return [.. state.Shell, text.ToString()];
    }
}

/// <summary>A tree that a step reads or changes; a mounted root is taken away again.</summary>
internal sealed class BuildTree(HeldFolder root, ContainerLayer? layer) : IAsyncDisposable
{
    public HeldFolder Root => root;

    public ContainerLayer? Layer => layer;

    public ValueTask DisposeAsync()
    {
        root.Dispose();
        layer?.Remove();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Passes a step's output on; a program that prints without end is cut off, not its build.</summary>
internal sealed class OutputTail(int bytesMax)
{
    private static readonly byte[] Cut = Encoding.UTF8.GetBytes("\n[more output is not shown]\n");
    private long passed;

    public byte[] Pass(ReadOnlyMemory<byte> bytes)
    {
        var before = passed;
        passed += bytes.Length;
        return passed <= bytesMax ? bytes.ToArray() : before <= bytesMax ? [.. bytes.Span[..(int)(bytesMax - before)], .. Cut] : [];
    }
}
