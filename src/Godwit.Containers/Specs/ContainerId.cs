using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Godwit.Containers;

/// <summary>Names a container for good: 64 lower-case hexadecimal digits. Its first twelve are what people see.</summary>
[JsonConverter(typeof(ContainerIdJsonConverter))]
public readonly record struct ContainerId
{
    public const int Length = 64;
    public const int ShortLength = 12;

    private readonly string? value;

    private ContainerId(string value) => this.value = value;

    public string Value => value ?? throw new InvalidOperationException("this container id was never given a value");

    /// <summary>The form for people, also the container's host name unless it has another.</summary>
    public string Short => Value[..ShortLength];

    public static ContainerId Generate() => new(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Length / 2)));

    public static bool TryParse([NotNullWhen(true)] string? text, out ContainerId id)
    {
        id = default;
        if (text is not { Length: Length } || !text.All(char.IsAsciiHexDigitLower))
        {
            return false;
        }

        id = new ContainerId(text);
        return true;
    }

    public static ContainerId Parse(string text) => TryParse(text, out var id) ? id : throw new FormatException($"'{text}' is no container id: 64 lower-case hexadecimal digits");

    public override string ToString() => Value;
}

internal sealed class ContainerIdJsonConverter : JsonConverter<ContainerId>
{
    public override ContainerId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        ContainerId.TryParse(reader.GetString(), out var id) ? id : throw new JsonException("no container id");

    public override void Write(Utf8JsonWriter writer, ContainerId value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
}
