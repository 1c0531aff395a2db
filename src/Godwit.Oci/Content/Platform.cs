using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace Godwit.Oci;

/// <summary>What a program needs to run: operating system and processor, in Go's words (<c>linux/amd64</c>, <c>linux/arm64/v8</c>).</summary>
public sealed record Platform
{
    private const int TextLengthMax = 64;

    [JsonPropertyName("architecture")]
    public required string Architecture { get; init; }

    [JsonPropertyName("os")]
    public required string OperatingSystem { get; init; }

    /// <summary>A refinement of the architecture: <c>v7</c> of <c>arm</c>.</summary>
    [JsonPropertyName("variant")]
    public string? Variant { get; init; }

    [JsonPropertyName("os.version")]
    public string? OperatingSystemVersion { get; init; }

    /// <summary>That of this host.</summary>
    public static Platform Host { get; } = new()
    {
        OperatingSystem = "linux",
        Architecture = RuntimeInformation.OSArchitecture switch
        {
            System.Runtime.InteropServices.Architecture.X64 => "amd64",
            System.Runtime.InteropServices.Architecture.Arm64 => "arm64",
            System.Runtime.InteropServices.Architecture.X86 => "386",
            System.Runtime.InteropServices.Architecture.Arm => "arm",
            System.Runtime.InteropServices.Architecture.Ppc64le => "ppc64le",
            System.Runtime.InteropServices.Architecture.S390x => "s390x",
            System.Runtime.InteropServices.Architecture.RiscV64 => "riscv64",
            _ => "unknown",
        },
    };

    /// <summary>Reads <c>os/architecture[/variant]</c>, or <c>architecture</c> alone on linux.</summary>
    /// <exception cref="FormatException">The text is no platform.</exception>
    public static Platform Parse(string text)
    {
        var parts = text.Split('/');
        if (text.Length > TextLengthMax || parts.Length > 3 || parts.Any(part => part.Length == 0 || !part.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-' or '.')))
        {
            throw new FormatException($"\"{(text.Length > TextLengthMax ? text[..TextLengthMax] + "…" : text)}\" is no platform: expected os/architecture or os/architecture/variant, such as linux/arm64.");
        }

        if (parts is ["linux"])
        {
            return Host;
        }

        var (system, rest) = parts.Length == 1 ? ("linux", parts) : (parts[0].ToLowerInvariant(), parts[1..]);
        var (architecture, variant) = Normalise(rest[0].ToLowerInvariant(), rest.Length > 1 ? rest[1].ToLowerInvariant() : null);
        return new Platform { OperatingSystem = system, Architecture = architecture, Variant = variant };
    }

    /// <summary>
    /// How well a program for <paramref name="offered"/> serves one who wants this: 0 is not at all, more is better.
    /// An unnamed variant is the architecture's usual one (<c>arm64</c> is <c>v8</c>, <c>arm</c> is <c>v7</c>); a lower variant runs on a higher one.
    /// </summary>
    public int Rank(Platform offered)
    {
        var (wanted, wantedVariant) = Normalise(Architecture, Variant);
        var (given, givenVariant) = Normalise(offered.Architecture, offered.Variant);
        if (OperatingSystem != offered.OperatingSystem || wanted != given)
        {
            return 0;
        }

        var wantedLevel = Level(wanted, wantedVariant);
        var givenLevel = Level(given, givenVariant);
        return wantedLevel == givenLevel ? 100 : givenLevel < wantedLevel ? 100 - Math.Min(wantedLevel - givenLevel, 99) : 0;
    }

    public override string ToString() => Variant is null ? $"{OperatingSystem}/{Architecture}" : $"{OperatingSystem}/{Architecture}/{Variant}";

    private static (string Architecture, string? Variant) Normalise(string architecture, string? variant) => architecture switch
    {
        "x86_64" or "x86-64" => ("amd64", variant is "v1" ? null : variant),
        "aarch64" => ("arm64", variant is "8" or "v8" ? null : variant),
        "arm64" when variant is "8" or "v8" => ("arm64", null),
        "amd64" when variant is "v1" => ("amd64", null),
        "i386" => ("386", variant),
        "armhf" => ("arm", null),
        "armel" => ("arm", "v6"),
        "arm" when variant is "7" or "v7" => ("arm", null),
        _ => (architecture, variant),
    };

    private static int Level(string architecture, string? variant)
    {
        var usual = architecture switch { "arm64" => 8, "arm" => 7, "amd64" => 1, _ => 0 };
        return variant is null ? usual : variant.StartsWith('v') && int.TryParse(variant.AsSpan(1), out var level) && level is > 0 and < 100 ? level : int.MaxValue / 2;
    }
}
