namespace Godwit.Builder.Dockerfiles;

/// <summary>One stage: from its FROM up to the next.</summary>
/// <param name="Number">From 0 on.</param>
/// <param name="From">Where it begins.</param>
/// <param name="Steps">After that.</param>
public sealed record BuildStage(int Number, Step.From From, IReadOnlyList<Step> Steps);

/// <summary>
/// A Dockerfile's stages, and the variables that stand before the first of them, which FROM alone can see. Pure.
/// </summary>
public sealed record BuildStages(IReadOnlyList<Step.Arg> Global, IReadOnlyList<BuildStage> Stages, char Escape)
{
    /// <exception cref="BuildException">An instruction is wrong, or stands where it may not.</exception>
    public static BuildStages Read(string dockerfile)
    {
        var text = DockerfileReader.Read(dockerfile);
        var global = new List<Step.Arg>();
        var stages = new List<BuildStage>();
        Step.From? from = null;
        var steps = new List<Step>();
        foreach (var step in text.Instructions.Select(instruction => StepReader.Read(instruction, text.Escape)))
        {
            switch (step)
            {
                case Step.From next:
                    Close();
                    from = next;
                    break;
                case Step.Arg arg when from is null:
                    global.Add(arg);
                    break;
                default:
                    steps.Add(from is not null ? step : throw new BuildException("no build stage in current context: the first instruction is FROM, or ARG before it", step.Line));
                    break;
            }
        }

        Close();
        return stages.Count > 0 ? new BuildStages(global, stages, text.Escape) : throw new BuildException("there is no FROM, so nothing to build");

        void Close()
        {
            if (from is not null)
            {
                if (from.StageName is { } name && stages.Any(stage => stage.From.StageName == name))
                {
                    throw new BuildException($"duplicate name {name}", from.Line);
                }

                stages.Add(new BuildStage(stages.Count, from, [.. steps]));
                steps.Clear();
            }
        }
    }

    /// <summary>The stage of this name or number, among those before <paramref name="before"/>; null when there is none, and an image is meant.</summary>
    public BuildStage? Find(string nameOrNumber, int before) => Stages.Take(before).LastOrDefault(stage =>
        string.Equals(stage.From.StageName, nameOrNumber, StringComparison.OrdinalIgnoreCase) || stage.Number.ToString(System.Globalization.CultureInfo.InvariantCulture) == nameOrNumber);

    /// <summary>The stage that is to be built: the named one, or the last.</summary>
    public BuildStage Target(string? name) => name is null ? Stages[^1]
        : Find(name, Stages.Count) ?? throw new BuildException($"target stage \"{name}\" could not be found; there are {string.Join(", ", Stages.Select(stage => stage.From.StageName ?? stage.Number.ToString(System.Globalization.CultureInfo.InvariantCulture)))}");
}
