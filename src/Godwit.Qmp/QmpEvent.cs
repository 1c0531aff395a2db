using System.Text.Json;

namespace Godwit.Qmp;

/// <summary>Something that happened in QEMU. <see cref="LostBefore"/> events were dropped just before it because nobody read in time.</summary>
public sealed record QmpEvent(string Name, DateTimeOffset At, JsonElement? Data, int LostBefore)
{
    /// <summary>A text member of the data, or null when it is not there or no text.</summary>
    public string? Text(string member) =>
        Data is { ValueKind: JsonValueKind.Object } data && data.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    /// <summary>A whole number in the data, or null when it is not there or none.</summary>
    public long? Number(string member) =>
        Data is { ValueKind: JsonValueKind.Object } data && data.TryGetProperty(member, out var value)
            && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number)
            ? number
            : null;

    /// <summary>A truth value in the data, or null when it is not there or none.</summary>
    public bool? Truth(string member) =>
        Data is { ValueKind: JsonValueKind.Object } data && data.TryGetProperty(member, out var value)
            && value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : null;
}
