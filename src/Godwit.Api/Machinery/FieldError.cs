using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery;

public enum FieldErrorKind
{
    Required,
    Invalid,
    NotSupported,
    Duplicate,
    Forbidden,
    TooLong,
    TooMany,
    TypeInvalid,
    Unknown,
}

/// <summary>One thing wrong with one field, in Kubernetes' words; <see cref="Path"/> like <c>spec.domain.cpu.cores</c>.</summary>
public sealed record FieldError(FieldErrorKind Kind, string Path, string Detail, JsonNode? BadValue = null)
{
    public static FieldError Required(string path, string detail) => new(FieldErrorKind.Required, path, detail);

    public static FieldError Invalid(string path, JsonNode? badValue, string detail) => new(FieldErrorKind.Invalid, path, detail, badValue?.DeepClone());

    public static FieldError Forbidden(string path, string detail) => new(FieldErrorKind.Forbidden, path, detail);

    public static FieldError Duplicate(string path, JsonNode? badValue) => new(FieldErrorKind.Duplicate, path, "", badValue?.DeepClone());

    public static FieldError TooLong(string path, string detail) => new(FieldErrorKind.TooLong, path, detail);

    public static FieldError NotSupported(string path, JsonNode? badValue, params string[] supported) => new(
        FieldErrorKind.NotSupported, path, $"supported values: {string.Join(", ", supported.Select(word => $"\"{word}\""))}", badValue?.DeepClone());
}
