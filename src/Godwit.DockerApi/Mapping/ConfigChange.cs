using System.Text;
using System.Text.Json;
using Godwit.DockerApi.Serving;
using Godwit.Oci;

namespace Godwit.DockerApi.Mapping;

/// <summary>A change to an image's configuration, in a Dockerfile's words: what <c>commit</c> and <c>import</c> take by <c>--change</c>. Variables are not expanded.</summary>
internal static class ConfigChange
{
    private static readonly IReadOnlyList<string> StandardShell = ["/bin/sh", "-c"];

    /// <exception cref="DockerException">It is no instruction that changes a configuration.</exception>
    public static ImageDefaults Apply(ImageDefaults config, string instruction)
    {
        var text = instruction.Trim();
        var space = text.AsSpan().IndexOfAny(' ', '\t');
        var (word, rest) = space < 0 ? (text, "") : (text[..space], text[space..].Trim());
        if (rest.Length == 0)
        {
            throw DockerException.Invalid($"{word.ToUpperInvariant()} requires at least one argument");
        }

        return word.ToUpperInvariant() switch
        {
            "CMD" => config with { Cmd = Command(config, rest) },
            "ENTRYPOINT" => config with { Entrypoint = Command(config, rest), Cmd = null },
            "ENV" => config with { Env = [.. Pairs(word, rest).Aggregate((config.Env ?? []).AsEnumerable(), (all, pair) => all.Where(one => !one.StartsWith(pair.Name + "=", StringComparison.Ordinal)).Append($"{pair.Name}={pair.Value}"))] },
            "LABEL" => config with { Labels = Pairs(word, rest).Aggregate(new Dictionary<string, string>(config.Labels ?? new Dictionary<string, string>(StringComparer.Ordinal), StringComparer.Ordinal), Set) },
            "EXPOSE" => config with { ExposedPorts = Add(config.ExposedPorts, rest.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Port)) },
            "VOLUME" => config with { Volumes = Add(config.Volumes, List(rest) ?? [.. rest.Split(' ', StringSplitOptions.RemoveEmptyEntries)]) },
            "USER" => config with { User = rest },
            "WORKDIR" => config with { WorkingDir = rest.StartsWith('/') ? rest : Path.Combine(config.WorkingDir is { Length: > 0 } now ? now : "/", rest) },
            "STOPSIGNAL" => config with { StopSignal = rest },
            "SHELL" => config with { Shell = List(rest) ?? throw DockerException.Invalid("SHELL requires the arguments to be in JSON form") },
            "ONBUILD" => config with { OnBuild = [.. config.OnBuild ?? [], rest] },
            _ => throw DockerException.Invalid($"{word} is not a valid change command"),
        };
    }

    private static List<string> Command(ImageDefaults config, string text) => List(text) ?? [.. config.Shell is { Count: > 0 } shell ? shell : StandardShell, text];

    private static string Port(string text)
    {
        var (port, protocol) = NetworkReader.ReadPort(text);
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{port}/{protocol}");
    }

    private static Dictionary<string, EmptyObject> Add(IReadOnlyDictionary<string, EmptyObject>? before, IEnumerable<string> more)
    {
        var all = new Dictionary<string, EmptyObject>(before ?? new Dictionary<string, EmptyObject>(StringComparer.Ordinal), StringComparer.Ordinal);
        foreach (var one in more)
        {
            all[one] = EmptyObject.Value;
        }

        return all;
    }

    private static Dictionary<string, string> Set(Dictionary<string, string> all, (string Name, string Value) pair)
    {
        all[pair.Name] = pair.Value;
        return all;
    }

    /// <summary>A list in JSON; null when it is none, which then is the shell's form.</summary>
    private static List<string>? List(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind is JsonValueKind.Array ? [.. document.RootElement.EnumerateArray().Select(one => one.GetString() ?? "")] : null;
        }
        catch (Exception reason) when (reason is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary><c>name=value …</c>, quoted as in a shell, or the old form <c>name value</c>.</summary>
    private static IEnumerable<(string Name, string Value)> Pairs(string word, string text)
    {
        var first = text.AsSpan().IndexOfAny(" \t=");
        if (first < 0 || text[first] != '=')
        {
            return first > 0 ? [(text[..first], text[first..].Trim())] : throw DockerException.Invalid($"{word.ToUpperInvariant()} must have two arguments");
        }

        return [.. Words(text).Select(one => one.IndexOf('=', StringComparison.Ordinal) is > 0 and var equals ? (one[..equals], one[(equals + 1)..]) : throw DockerException.Invalid($"Syntax error - can't find = in \"{one}\". Must be of the form: name=value"))];
    }

    private static IEnumerable<string> Words(string text)
    {
        var word = new StringBuilder();
        var quote = '\0';
        for (var at = 0; at < text.Length; at++)
        {
            var letter = text[at];
            if (quote == '\0' && letter is (' ' or '\t'))
            {
                if (word.Length > 0)
                {
                    yield return word.ToString();
                    word.Clear();
                }
            }
            else if (letter == '\\' && quote != '\'' && at + 1 < text.Length)
            {
                word.Append(text[++at]);
            }
            else if (letter is '"' or '\'' && (quote == '\0' || quote == letter))
            {
                quote = quote == '\0' ? letter : '\0';
            }
            else
            {
                word.Append(letter);
            }
        }

        if (word.Length > 0)
        {
            yield return word.ToString();
        }
    }
}
