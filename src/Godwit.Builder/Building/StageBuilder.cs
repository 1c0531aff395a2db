using Godwit.Builder.Dockerfiles;
using Godwit.Images;
using Godwit.Oci;

namespace Godwit.Builder.Building;

/// <summary>Carries out one stage, step after step.</summary>
internal sealed partial class StageBuilder(BuildSession session, BuildStage stage, CancellationToken stopping)
{
    private const int TriggersMax = 1000;

    private StageState state = new();
    private int number;

    public string ContextFolder => session.Request.ContextFolder;

    public IReadOnlyDictionary<string, byte[]> Secrets => session.Request.Secrets;

    private ExpansionRules Rules(Step step) => new(session.Stages.Escape, state.Variable, step.Line);

    public async Task<StageState> BuildAsync()
    {
        await BeginAsync();
        foreach (var step in stage.Steps)
        {
            await TakeAsync(step, session.NumberOf(step), step.Source.Text);
        }

        if (stage == session.Target && session.Request.Labels.Count > 0)
        {
            var labels = new SortedDictionary<string, string>(state.Config.Labels?.ToDictionary(StringComparer.Ordinal) ?? [], StringComparer.Ordinal);
            foreach (var (name, value) in session.Request.Labels)
            {
                labels[name] = value;
            }

            state = state with { Config = state.Config with { Labels = labels } };
            await RememberAsync("LABEL " + string.Join(' ', session.Request.Labels.Order().Select(label => $"{label.Key}={label.Value}")), layer: null, key: null);
        }

        return state;
    }

    public string Expand(string text, Step step)
    {
        var path = Expansion.Word(text, Rules(step));
        return path.StartsWith('/') ? path : $"{state.WorkingDirectory.TrimEnd('/')}/{path}";
    }

    public Task<BuildTree> OpenForMountAsync(string? from, Step step) => OpenTreeAsync(from is null ? null : Expansion.Word(from, Rules(step)), step.Line);

    /// <summary>FROM: another stage, an image, or nothing.</summary>
    private async Task BeginAsync()
    {
        var from = stage.From;
        number = session.NumberOf(from);
        Tell(new BuildEvent.StepBegins(number, session.StepCount, from.Source.Text));
        var rules = new ExpansionRules(session.Stages.Escape, session.GlobalArgument, from.Line);
        var image = Expansion.Word(from.Image, rules);
        if (image.Length == 0)
        {
            throw new BuildException($"base name ({from.Image}) should not be blank", from.Line);
        }

        if (session.Stages.Find(image, stage.Number) is { } below)
        {
            var end = await session.ResultAsync(below, stopping);
            state = new StageState { Image = end.Image, Config = end.Config, Author = end.Author };
        }
        else if (image != "scratch")
        {
            var found = await FetchAsync(image, from.Platform is null ? session.Request.Platform : Platform.Parse(Expansion.Word(from.Platform, rules)));
            state = new StageState { Image = found, Config = found.Config.Config ?? new ImageDefaults(), Author = found.Config.Author };
        }

        if (state.Image is { } start)
        {
            Tell(new BuildEvent.StepEnds(number, start.Id));
        }

        await TriggerAsync();
    }

    /// <summary>What the base wants done when it is built upon.</summary>
    private async Task TriggerAsync()
    {
        var triggers = state.Config.OnBuild ?? [];
        if (triggers.Count > TriggersMax)
        {
            throw new BuildException($"the base image has {triggers.Count} triggers; at most {TriggersMax} are carried out", stage.From.Line);
        }

        state = state with { Config = state.Config with { OnBuild = null } };
        foreach (var trigger in triggers)
        {
            var step = StepReader.Read(DockerfileReader.ReadOne(trigger, stage.From.Line), session.Stages.Escape);
            await TakeAsync(step is Step.OnBuild or Step.From ? throw new BuildException($"the base image has the trigger {trigger}, which is none", stage.From.Line) : step, number, trigger);
        }
    }

    private async Task<StoredImage> FetchAsync(string image, Platform? platform)
    {
        var images = session.Parts.Images;
        if (!session.Request.AlwaysPull && images.Find(image) is { } present && (platform is null || platform.Rank(present.Config.Platform) > 0))
        {
            return present;
        }

        var name = images.ParseReference(image).WithDefaultTag();
        var progress = new Relay<TransferProgress>(step => Tell(new BuildEvent.Pulls(name, step)));
        return await images.PullAsync(name, new PullOptions { Platform = platform, Credentials = session.Request.Credentials(name.Registry) }, progress, stopping);
    }

    private async Task TakeAsync(Step step, int stepNumber, string text)
    {
        stopping.ThrowIfCancellationRequested();
        number = stepNumber;
        Tell(new BuildEvent.StepBegins(number, session.StepCount, text));
        switch (step)
        {
            case Step.Arg arg:
                Declare(arg);
                break;
            case Step.Run run:
                await RunAsync(run);
                break;
            case Step.Copy copy:
                await CopyAsync(copy);
                break;
            case Step.WorkDir folder:
                await EnterAsync(folder);
                break;
            default:
                var (next, history) = ConfigSteps.Apply(state, step, Rules(step)) ?? throw new BuildException($"{step.Source.Name} cannot stand here", step.Line);
                state = next;
                await RememberAsync(history, layer: null, key: null);
                break;
        }

        if (state.Image is { } image)
        {
            Tell(new BuildEvent.StepEnds(number, image.Id));
        }
    }

    private void Declare(Step.Arg arg)
    {
        var declared = new Dictionary<string, string>(state.Arguments, StringComparer.Ordinal);
        foreach (var variable in arg.Variables)
        {
            var value = session.Request.Arguments.GetValueOrDefault(variable.Name)
                ?? (variable.Value is { } standard ? Expansion.Word(standard, Rules(arg) with { Variables = name => declared.GetValueOrDefault(name) ?? state.Variable(name) }) : session.GlobalArgument(variable.Name));
            if (value is not null)
            {
                declared[variable.Name] = value;
            }
        }

        state = state with { Arguments = declared };
    }

    /// <summary>WORKDIR: the folder is made where it is missing, and that is a layer.</summary>
    private async Task EnterAsync(Step.WorkDir step)
    {
        var wanted = Expansion.Word(step.Path, Rules(step));
        var path = "/" + Contexts.CopySources.Clean(wanted.StartsWith('/') ? wanted : $"{state.WorkingDirectory}/{wanted}");
        state = state with { Config = state.Config with { WorkingDir = path } };
        await ChangeRootAsync($"WORKDIR {path}", BuildCache.KeyOf(Base, "WORKDIR", path), root => MakeFolder(root, path));
    }

    private string Base => state.Image?.Id.ToString() ?? "scratch";

    /// <summary>Makes the image after a step. With a key, the next build finds it by that.</summary>
    private async Task RememberAsync(string history, ImageLayer? layer, Digest? key)
    {
        key ??= BuildCache.KeyOf(Base, history, Oci.Digest.Of(OciFormat.Write(Snapshot())).ToString());
        if (layer is null && await FindKnownAsync(key.Value))
        {
            return;
        }

        var made = await session.Parts.Images.CreateAsync(
            new ImageStep
            {
                Parent = state.Image,
                Layer = layer?.DiffId,
                Config = state.Config,
                History = new HistoryEntry { CreatedBy = history, Created = session.Epoch },
                Author = state.Author,
                Platform = session.Request.Platform,
            },
            stopping);
        state = state with { Image = made };
        session.Parts.Cache.Put(key.Value, made.Id);
    }

    /// <summary>Takes what an earlier build made of the same, if it is still here.</summary>
    private Task<bool> FindKnownAsync(Digest key)
    {
        if (session.Request.NoCache || session.Parts.Cache.Find(key) is not { } known || session.Parts.Images.Find(known.ToString()) is not { } image)
        {
            return Task.FromResult(false);
        }

        state = state with { Image = image };
        Tell(new BuildEvent.StepCached(number));
        return Task.FromResult(true);
    }

    private ImageConfig Snapshot() => new() { Architecture = "", OperatingSystem = "", RootFileSystem = new RootFileSystem { DiffIds = [] }, Config = state.Config, Created = session.Epoch, Author = state.Author };

    private void Tell(BuildEvent what) => session.Progress.Report(what);

    private sealed class Relay<T>(Action<T> pass) : IProgress<T>
    {
        public void Report(T value) => pass(value);
    }
}
