using System.Globalization;

namespace Godwit.Builder.Dockerfiles;

/// <summary>Reads <c>RUN --mount=type=cache,target=/x,…</c>.</summary>
internal static class RunMountReader
{
    public static RunMount Read(string text, Instruction instruction)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var field in text.Split(','))
        {
            var equals = field.IndexOf('=', StringComparison.Ordinal);
            fields[NameOf(equals < 0 ? field : field[..equals], instruction)] = equals < 0 ? "true" : field[(equals + 1)..].Trim('"');
        }

        var kind = fields.GetValueOrDefault("type", "bind") switch
        {
            "bind" => RunMountKind.Bind,
            "cache" => RunMountKind.Cache,
            "tmpfs" => RunMountKind.Memory,
            "secret" => RunMountKind.Secret,
            "ssh" => RunMountKind.Ssh,
            var other => throw StepReader.Wrong(instruction, $"does not know the mount's type \"{other}\": bind, cache, tmpfs, secret or ssh"),
        };
        var target = fields.GetValueOrDefault("target");
        if (target is null && kind is RunMountKind.Bind or RunMountKind.Cache or RunMountKind.Memory)
        {
            throw StepReader.Wrong(instruction, "has a mount without a target");
        }

        return new RunMount
        {
            Kind = kind,
            Target = target,
            Source = fields.GetValueOrDefault("source"),
            FromStage = fields.GetValueOrDefault("from"),
            Id = fields.GetValueOrDefault("id"),
            IsReadOnly = Flag("readonly") ?? !(Flag("rw") ?? kind is not RunMountKind.Bind),
            IsRequired = Flag("required") ?? false,
            Variable = fields.GetValueOrDefault("env"),
            Sharing = fields.GetValueOrDefault("sharing", "shared") is ("shared" or "private" or "locked") and var sharing ? sharing : throw StepReader.Wrong(instruction, "has a mount whose sharing is none: shared, private or locked"),
            Mode = fields.TryGetValue("mode", out var mode) ? Octal(mode) : null,
            UserId = Number("uid"),
            GroupId = Number("gid"),
            SizeBytes = fields.ContainsKey("size") ? Number("size") : null,
        };

        bool? Flag(string name) => fields.TryGetValue(name, out var value) ? value is "true" or "1" : null;

        uint Number(string name) => !fields.TryGetValue(name, out var value) ? 0
            : uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : throw StepReader.Wrong(instruction, $"has a mount with no number in {name}={value}");

        uint Octal(string digits)
        {
            uint number = 0;
            foreach (var digit in digits.TrimStart('0', 'o'))
            {
                number = digit is >= '0' and <= '7' && number < 0x1000 ? (number << 3) | (uint)(digit - '0') : throw StepReader.Wrong(instruction, $"has a mount with no octal number in mode={digits}");
            }

            return number;
        }
    }

    private static string NameOf(string written, Instruction instruction) => written.ToLowerInvariant() switch
    {
        "type" or "from" or "id" or "sharing" or "mode" or "uid" or "gid" or "required" or "size" or "env" => written.ToLowerInvariant(),
        "target" or "dst" or "destination" => "target",
        "source" or "src" => "source",
        "readonly" or "ro" => "readonly",
        "readwrite" or "rw" => "rw",
        _ => throw StepReader.Wrong(instruction, $"has a mount with the unknown field \"{written}\""),
    };
}
