using System.Globalization;
using Godwit.Builder.Dockerfiles;
using Godwit.Images;
using Godwit.Oci;

namespace Godwit.Builder.Building;

/// <summary>A stage between two of its steps: a value.</summary>
internal sealed record StageState
{
    private const string StandardPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private static readonly string[] StandardShell = ["/bin/sh", "-c"];

    /// <summary>What the steps so far have made; null is nothing at all (<c>FROM scratch</c>).</summary>
    public StoredImage? Image { get; init; }

    public ImageDefaults Config { get; init; } = new();

    /// <summary>ARGs that were declared in this stage, with their values; without one they are not in it.</summary>
    public IReadOnlyDictionary<string, string> Arguments { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>CMD was given in this Dockerfile: then an ENTRYPOINT leaves it alone.</summary>
    public bool HasOwnCommand { get; init; }

    public string? Author { get; init; }

    public IReadOnlyList<string> Shell => Config.Shell is { Count: > 0 } own ? own : StandardShell;

    public string WorkingDirectory => Config.WorkingDir is { Length: > 0 } folder ? folder : "/";

    /// <summary>A variable in an instruction: ENV before ARG.</summary>
    public string? Variable(string name) => Find(Config.Env, name) ?? Arguments.GetValueOrDefault(name);

    /// <summary>The environment of a RUN: the image's, and the ARGs that it does not overrule.</summary>
    public IReadOnlyList<string> RunEnvironment()
    {
        var environment = (Config.Env ?? []).ToList();
        environment.AddRange(Arguments.Where(argument => Find(Config.Env, argument.Key) is null).OrderBy(argument => argument.Key, StringComparer.Ordinal).Select(argument => $"{argument.Key}={argument.Value}"));
        if (Find(environment, "PATH") is null)
        {
            environment.Insert(0, StandardPath);
        }

        return environment;
    }

    /// <summary>The command line of a CMD, ENTRYPOINT or RUN, with the shell in front where it is text.</summary>
    public IReadOnlyList<string> Line(CommandLine command) => command.Exec ?? [.. Shell, command.ShellText!];

    private static string? Find(IReadOnlyList<string>? environment, string name)
    {
        var prefix = name + "=";
        return environment?.LastOrDefault(entry => entry.StartsWith(prefix, StringComparison.Ordinal))?[prefix.Length..];
    }
}

/// <summary>The steps that change nothing but the configuration. Pure.</summary>
internal static class ConfigSteps
{
    /// <summary>The state after the step, and how the history tells of it; null where the step is none of these.</summary>
    public static (StageState State, string History)? Apply(StageState state, Step step, ExpansionRules rules)
    {
        string Word(string text) => Expansion.Word(text, rules);
        var config = state.Config;
        switch (step)
        {
            case Step.Env env:
                var variables = env.Variables.Select(each => (Name: Word(each.Name), Value: Word(each.Value ?? ""))).ToList();
                return (state with { Config = config with { Env = Merge(config.Env, variables) } }, "ENV " + string.Join(' ', variables.Select(each => $"{each.Name}={each.Value}")));
            case Step.Label label:
                var labels = new SortedDictionary<string, string>(config.Labels?.ToDictionary(StringComparer.Ordinal) ?? [], StringComparer.Ordinal);
                foreach (var each in label.Labels)
                {
                    labels[Word(each.Name)] = Word(each.Value ?? "");
                }

                return (state with { Config = config with { Labels = labels } }, "LABEL " + string.Join(' ', label.Labels.Select(each => $"{Word(each.Name)}={Word(each.Value ?? "")}")));
            case Step.User user:
                return (state with { Config = config with { User = Word(user.Name) } }, $"USER {Word(user.Name)}");
            case Step.Expose expose:
                return Expose(state, expose, rules);
            case Step.Volume volume:
                var paths = volume.Paths.Select(Word).ToList();
                return (state with { Config = config with { Volumes = Add(config.Volumes, paths) } }, $"VOLUME [{string.Join(' ', paths)}]");
            case Step.Cmd cmd:
                return (state with { HasOwnCommand = true, Config = config with { Cmd = state.Line(cmd.Command) } }, $"CMD {Show(state.Line(cmd.Command))}");
            case Step.Entrypoint entry:
                return (state with { Config = config with { Entrypoint = state.Line(entry.Command), Cmd = state.HasOwnCommand ? config.Cmd : null } }, $"ENTRYPOINT {Show(state.Line(entry.Command))}");
            case Step.Shell shell:
                return (state with { Config = config with { Shell = shell.Command } }, $"SHELL {Show(shell.Command)}");
            case Step.StopSignal signal:
                return (state with { Config = config with { StopSignal = Word(signal.Signal) } }, $"STOPSIGNAL {Word(signal.Signal)}");
            case Step.Health health:
                return (state with { Config = config with { Healthcheck = Check(health) } }, $"HEALTHCHECK {health.Source.Arguments}");
            case Step.OnBuild trigger:
                return (state with { Config = config with { OnBuild = [.. config.OnBuild ?? [], trigger.Trigger] } }, $"ONBUILD {trigger.Trigger}");
            case Step.Maintainer maintainer:
                return (state with { Author = maintainer.Name }, $"MAINTAINER {maintainer.Name}");
            default:
                return null;
        }
    }

    private static HealthCheck Check(Step.Health health) => health.Check is { } check
        ? check with { Test = health.Command!.Exec is { } exec ? ["CMD", .. exec] : ["CMD-SHELL", health.Command.ShellText!] }
        : new HealthCheck { Test = ["NONE"] };

    private static (StageState State, string History) Expose(StageState state, Step.Expose expose, ExpansionRules rules)
    {
        var ports = expose.Ports.SelectMany(port => Expansion.Words(port, rules)).SelectMany(port => Range(port, expose.Line)).ToList();
        return (state with { Config = state.Config with { ExposedPorts = Add(state.Config.ExposedPorts, ports) } }, $"EXPOSE [{string.Join(' ', ports)}]");
    }

    private static IEnumerable<string> Range(string text, int line)
    {
        var parts = text.Split('/');
        var ends = parts[0].Split('-');
        if (parts.Length > 2 || ends.Length > 2 || (parts.Length == 2 && parts[1].ToLowerInvariant() is not ("tcp" or "udp" or "sctp"))
            || !ushort.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first) || !ushort.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var last) || first == 0 || last < first)
        {
            throw new BuildException($"invalid port: {text}: expected a number from 1 to 65535, or a range, with /tcp, /udp or /sctp", line);
        }

        var protocol = parts.Length == 2 ? parts[1].ToLowerInvariant() : "tcp";
        return Enumerable.Range(first, last - first + 1).Select(port => string.Create(CultureInfo.InvariantCulture, $"{port}/{protocol}"));
    }

    private static SortedDictionary<string, EmptyObject> Add(IReadOnlyDictionary<string, EmptyObject>? present, IEnumerable<string> names)
    {
        var all = new SortedDictionary<string, EmptyObject>(present?.ToDictionary(StringComparer.Ordinal) ?? [], StringComparer.Ordinal);
        foreach (var name in names)
        {
            all[name] = EmptyObject.Value;
        }

        return all;
    }

    private static List<string> Merge(IReadOnlyList<string>? environment, IEnumerable<(string Name, string Value)> variables)
    {
        var merged = (environment ?? []).ToList();
        foreach (var (name, value) in variables)
        {
            var at = merged.FindIndex(entry => entry.StartsWith(name + "=", StringComparison.Ordinal));
            if (at >= 0)
            {
                merged[at] = $"{name}={value}";
            }
            else
            {
                merged.Add($"{name}={value}");
            }
        }

        return merged;
    }

    private static string Show(IReadOnlyList<string> command) => $"[{string.Join(' ', command.Select(word => $"\"{word}\""))}]";
}
