using System.Collections.Concurrent;
using Godwit.Builder.Dockerfiles;
using Godwit.Images;
using Godwit.Oci;

namespace Godwit.Builder.Building;

/// <summary>What all stages of one build share.</summary>
internal sealed class BuildSession
{
    private readonly ConcurrentDictionary<int, Lazy<Task<StageState>>> results = new();
    private readonly Dictionary<Step, int> numbers = new(ReferenceEqualityComparer.Instance);

    public BuildSession(BuildRequest request, BuildParts parts, IProgress<BuildEvent> progress)
    {
        (Request, Parts, Progress) = (request, parts, progress);
        Stages = BuildStages.Read(request.Dockerfile);
        Target = Stages.Target(request.Target);
        Needed = FindNeeded();
        foreach (var step in Needed.SelectMany(stage => stage.Steps.Prepend(stage.From)))
        {
            numbers[step] = numbers.Count + 1;
        }

        var epoch = request.SourceDateEpochSeconds ?? (request.Arguments.GetValueOrDefault("SOURCE_DATE_EPOCH") is { } text && long.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var seconds) ? seconds : null);
        Epoch = epoch is { } since ? DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(since, 0, 253_402_300_799)) : null;
    }

    public BuildRequest Request { get; }

    public BuildParts Parts { get; }

    public IProgress<BuildEvent> Progress { get; }

    public BuildStages Stages { get; }

    public BuildStage Target { get; }

    /// <summary>The stages that the target needs, itself among them, in the Dockerfile's order.</summary>
    public IReadOnlyList<BuildStage> Needed { get; }

    /// <summary>The one time of everything in the image, where one was asked for.</summary>
    public DateTimeOffset? Epoch { get; }

    public int StepCount => numbers.Count;

    public int NumberOf(Step step) => numbers.GetValueOrDefault(step);

    /// <summary>The stage's end. It is built once, by whoever needs it first; the others wait.</summary>
    public Task<StageState> ResultAsync(BuildStage stage, CancellationToken stopping) =>
        results.GetOrAdd(stage.Number, _ => new Lazy<Task<StageState>>(() => Task.Run(() => new StageBuilder(this, stage, stopping).BuildAsync(), stopping))).Value;

    /// <summary>No member of a layer is younger than the epoch.</summary>
    public Images.Tar.TarEntry Clamp(Images.Tar.TarEntry entry) => Epoch is { } epoch && entry.Modified.Seconds > epoch.ToUnixTimeSeconds()
        ? entry with { Modified = new Linux.Files.FileTime(epoch.ToUnixTimeSeconds(), 0) }
        : entry;

    /// <summary>The values of the ARGs before the first FROM.</summary>
    public string? GlobalArgument(string name)
    {
        foreach (var argument in Stages.Global.SelectMany(step => step.Variables).Where(argument => argument.Name == name))
        {
            return Request.Arguments.GetValueOrDefault(name) ?? (argument.Value is { } standard ? Expansion.Word(standard, new ExpansionRules(Stages.Escape, GlobalArgumentBefore, 0)) : null);
        }

        return Predefined(name);

        string? GlobalArgumentBefore(string other) => other == name ? null : Request.Arguments.GetValueOrDefault(other) ?? Stages.Global.SelectMany(step => step.Variables).TakeWhile(argument => argument.Name != name).LastOrDefault(argument => argument.Name == other).Value ?? Predefined(other);
    }

    /// <summary>What every build knows of its platforms.</summary>
    public string? Predefined(string name)
    {
        var target = Request.Platform ?? Platform.Host;
        return name switch
        {
            "TARGETPLATFORM" => target.ToString(),
            "TARGETOS" => target.OperatingSystem,
            "TARGETARCH" => target.Architecture,
            "TARGETVARIANT" => target.Variant ?? "",
            "BUILDPLATFORM" => Platform.Host.ToString(),
            "BUILDOS" => Platform.Host.OperatingSystem,
            "BUILDARCH" => Platform.Host.Architecture,
            "BUILDVARIANT" => Platform.Host.Variant ?? "",
            _ => null,
        };
    }

    private List<BuildStage> FindNeeded()
    {
        var needed = new SortedDictionary<int, BuildStage>();
        var open = new Stack<BuildStage>([Target]);
        while (open.TryPop(out var stage))
        {
            if (!needed.TryAdd(stage.Number, stage))
            {
                continue;
            }

            // A name with a variable in it is looked up when the build comes to it: its stage is begun then.
            var names = stage.Steps.OfType<Step.Copy>().Select(copy => copy.Options.FromStage).Concat(stage.Steps.OfType<Step.Run>().SelectMany(run => run.Mounts).Select(mount => mount.FromStage)).Append(stage.From.Image);
            foreach (var below in names.OfType<string>().Select(name => Stages.Find(name, stage.Number)).OfType<BuildStage>())
            {
                open.Push(below);
            }
        }

        return [.. needed.Values];
    }
}

/// <summary>What builds work with.</summary>
/// <param name="Images">Where images are and go.</param>
/// <param name="Runner">Carries out RUN.</param>
/// <param name="Cache">What was made before.</param>
/// <param name="Folder">For caches of RUN and secrets in use; for root alone.</param>
/// <param name="Time">The clock, where no epoch is given.</param>
internal sealed record BuildParts(ImageStore Images, IStepRunner Runner, BuildCache Cache, string Folder, TimeProvider Time);
