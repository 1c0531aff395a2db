using System.Globalization;
using Godwit.Oci;

namespace Godwit.Builder.Dockerfiles;

/// <summary>Understands instructions: which arguments and flags each takes. Source: the Dockerfile reference.</summary>
public static class StepReader
{
    /// <param name="instruction">As it was split.</param>
    /// <param name="escape">The Dockerfile's escape character.</param>
    /// <exception cref="BuildException">A flag is unknown, or an argument is missing or wrong.</exception>
    public static Step Read(Instruction instruction, char escape)
    {
        if (instruction.Arguments.Length == 0 && instruction.Array is null)
        {
            throw Wrong(instruction, instruction.Name is "HEALTHCHECK" or "FROM" or "ONBUILD" or "SHELL" ? "requires an argument" : "requires at least one argument");
        }

        return instruction.Name switch
        {
            "FROM" => From(instruction),
            "ARG" => new Step.Arg(instruction, Args(instruction, escape)),
            "ENV" => new Step.Env(instruction, Pairs(instruction, escape)),
            "LABEL" => new Step.Label(instruction, Pairs(instruction, escape)),
            "RUN" => Run(instruction),
            "COPY" or "ADD" => Copy(instruction),
            "WORKDIR" => new Step.WorkDir(instruction, instruction.Arguments),
            "USER" => new Step.User(instruction, instruction.Arguments),
            "EXPOSE" => new Step.Expose(instruction, Blanks(instruction.Arguments)),
            "VOLUME" => new Step.Volume(instruction, instruction.Array ?? Blanks(instruction.Arguments)),
            "CMD" => new Step.Cmd(instruction, Command(instruction)),
            "ENTRYPOINT" => new Step.Entrypoint(instruction, Command(instruction)),
            "SHELL" => new Step.Shell(instruction, instruction.Array is { Count: > 0 } shell ? shell : throw Wrong(instruction, "requires the arguments to be in JSON form")),
            "STOPSIGNAL" => new Step.StopSignal(instruction, Single(instruction)),
            "HEALTHCHECK" => Health(instruction),
            "ONBUILD" => OnBuild(instruction),
            _ => new Step.Maintainer(instruction, instruction.Arguments),
        };
    }

    internal static BuildException Wrong(Instruction instruction, string reason) => new($"{instruction.Name} {reason}", instruction.Line);

    private static Step.From From(Instruction instruction)
    {
        var flags = Flags(instruction, "platform");
        return Blanks(instruction.Arguments) switch
        {
            [var image] => new Step.From(instruction, image, null, flags.GetValueOrDefault("platform")),
            [var image, var word, var name] when word.Equals("AS", StringComparison.OrdinalIgnoreCase) => IsStageName(name)
                ? new Step.From(instruction, image, name.ToLowerInvariant(), flags.GetValueOrDefault("platform"))
                : throw Wrong(instruction, $"gives the stage the name \"{name}\", which is none: a letter, then letters, digits, -, _ and ."),
            _ => throw Wrong(instruction, "requires either one or three arguments"),
        };
    }

    private static bool IsStageName(string name) => char.IsAsciiLetter(name[0]) && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.');

    private static List<NamedValue> Args(Instruction instruction, char escape)
    {
        var found = new List<NamedValue>();
        foreach (var word in RawWords(instruction, escape))
        {
            var equals = word.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? word : word[..equals];
            found.Add(name.Length > 0 ? new NamedValue(name, equals < 0 ? null : word[(equals + 1)..]) : throw Wrong(instruction, "names can not be blank"));
        }

        return found;
    }

    /// <summary><c>a=1 b="2 3"</c>, or in the old form <c>a all the rest</c>.</summary>
    private static List<NamedValue> Pairs(Instruction instruction, char escape)
    {
        var words = RawWords(instruction, escape);
        if (!words[0].Contains('=', StringComparison.Ordinal))
        {
            var blank = instruction.Arguments.AsSpan().IndexOfAny(' ', '\t');
            return blank < 0 ? throw Wrong(instruction, "must have two arguments") : [new NamedValue(instruction.Arguments[..blank], instruction.Arguments[blank..].Trim())];
        }

        var found = new List<NamedValue>();
        foreach (var word in words)
        {
            var equals = word.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
            {
                throw new BuildException($"Syntax error - can't find = in \"{word}\". Must be of the form: name=value", instruction.Line);
            }

            found.Add(equals > 0 ? new NamedValue(word[..equals], word[(equals + 1)..]) : throw Wrong(instruction, "names can not be blank"));
        }

        return found;
    }

    private static Step.Run Run(Instruction instruction)
    {
        var mounts = new List<RunMount>();
        string? network = null;
        foreach (var flag in instruction.Flags)
        {
            switch (flag.Name)
            {
                case "mount":
                    mounts.Add(RunMountReader.Read(flag.Value ?? "", instruction));
                    break;
                case "network":
                    network = flag.Value is "default" or "none" or "host" ? flag.Value : throw Wrong(instruction, $"does not know the network \"{flag.Value}\": default, none or host");
                    break;
                case "security" when flag.Value is "sandbox":
                    break;
                default:
                    throw Wrong(instruction, $"does not know the flag {flag}");
            }
        }

        return new Step.Run(instruction, Command(instruction), mounts, network);
    }

    private static Step.Copy Copy(Instruction instruction)
    {
        var isAdd = instruction.Name == "ADD";
        var flags = Flags(instruction, isAdd ? ["chown", "chmod", "checksum", "link", "exclude", "keep-git-dir", "unpack"] : ["chown", "chmod", "from", "link", "parents", "exclude"]);
        if (flags.TryGetValue("keep-git-dir", out _) || flags.TryGetValue("unpack", out _))
        {
            throw Wrong(instruction, "does not support --keep-git-dir or --unpack here: repositories of git are not fetched");
        }

        var words = instruction.Array ?? Blanks(instruction.Arguments);
        return words.Count < 2 ? throw Wrong(instruction, "requires at least two arguments: sources and a destination") : new Step.Copy(instruction, [.. words.Take(words.Count - 1)], words[^1], new CopyOptions
        {
            IsAdd = isAdd,
            FromStage = flags.GetValueOrDefault("from"),
            Owner = flags.GetValueOrDefault("chown"),
            Mode = flags.GetValueOrDefault("chmod"),
            Checksum = flags.GetValueOrDefault("checksum"),
            KeepsParents = flags.TryGetValue("parents", out var parents) && parents is (null or "true"),
            Excludes = [.. instruction.Flags.Where(flag => flag.Name == "exclude").Select(flag => flag.Value ?? "")],
        });
    }

    private static Step.Health Health(Instruction instruction)
    {
        var (word, command) = instruction.Arguments.Split([' ', '\t'], 2, StringSplitOptions.TrimEntries) is [var first, var after] ? (first, after) : (instruction.Arguments, "");
        if (word.Equals("NONE", StringComparison.OrdinalIgnoreCase))
        {
            return command.Length == 0 && instruction.Flags.Count == 0 ? new Step.Health(instruction, null, null) : throw Wrong(instruction, "NONE takes no arguments");
        }

        if (!word.Equals("CMD", StringComparison.OrdinalIgnoreCase))
        {
            throw Wrong(instruction, $"does not know the type {word}: NONE or CMD");
        }

        var flags = Flags(instruction, "interval", "timeout", "start-period", "start-interval", "retries");
        long? Time(string name) => flags.TryGetValue(name, out var text) ? GoDuration.ParseNanoseconds(text ?? "") ?? throw Wrong(instruction, $"has no duration in --{name}={text}") : null;
        var check = new HealthCheck
        {
            IntervalNanoseconds = Time("interval"),
            TimeoutNanoseconds = Time("timeout"),
            StartPeriodNanoseconds = Time("start-period"),
            StartIntervalNanoseconds = Time("start-interval"),
            Retries = !flags.TryGetValue("retries", out var retries) ? null
                : int.TryParse(retries, NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : throw Wrong(instruction, $"has no number in --retries={retries}"),
        };
        var inner = DockerfileReader.ReadOne($"CMD {command}", instruction.Line);
        return inner.Arguments.Length == 0 ? throw Wrong(instruction, "CMD is missing its command") : new Step.Health(instruction, check, Command(inner));
    }

    private static Step.OnBuild OnBuild(Instruction instruction)
    {
        var trigger = DockerfileReader.ReadOne(instruction.Arguments, instruction.Line);
        return trigger.Name switch
        {
            "ONBUILD" => throw Wrong(instruction, "cannot be chained"),
            "FROM" or "MAINTAINER" => throw Wrong(instruction, $"does not allow {trigger.Name} as its trigger"),
            _ => new Step.OnBuild(instruction, instruction.Arguments),
        };
    }

    private static CommandLine Command(Instruction instruction) => instruction.Array is { } array ? new CommandLine(array, null) : new CommandLine(null, instruction.Arguments);

    private static string Single(Instruction instruction) => Blanks(instruction.Arguments) is [var only] ? only : throw Wrong(instruction, "requires exactly one argument");

    private static string[] Blanks(string text) => text.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The flags that this instruction knows; those that may stand several times are read by who takes them.</summary>
    private static Dictionary<string, string?> Flags(Instruction instruction, params ReadOnlySpan<string> known)
    {
        var found = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var flag in instruction.Flags)
        {
            if (!known.Contains(flag.Name))
            {
                throw Wrong(instruction, $"does not know the flag {flag}");
            }

            if (!found.TryAdd(flag.Name, flag.Value) && flag.Name != "exclude")
            {
                throw Wrong(instruction, $"has the flag --{flag.Name} twice");
            }
        }

        return found;
    }

    /// <summary>Splits at blanks outside quotes; quotes and escapes stay, for they are expanded later.</summary>
    private static List<string> RawWords(Instruction instruction, char escape)
    {
        var words = new List<string>();
        var word = new System.Text.StringBuilder();
        char? quote = null;
        for (var at = 0; at < instruction.Arguments.Length; at++)
        {
            var letter = instruction.Arguments[at];
            if (letter == escape && quote != '\'' && at + 1 < instruction.Arguments.Length)
            {
                word.Append(letter).Append(instruction.Arguments[++at]);
            }
            else if (quote is null && letter is (' ' or '\t'))
            {
                Flush();
            }
            else
            {
                quote = quote == letter ? null : quote ?? (letter is '\'' or '"' ? letter : null);
                word.Append(letter);
            }
        }

        Flush();
        return words;

        void Flush()
        {
            if (word.Length > 0)
            {
                words.Add(word.ToString());
                word.Clear();
            }
        }
    }
}
