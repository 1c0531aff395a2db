using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>Field errors in Kubernetes' words.</summary>
internal static class FieldErrors
{
    /// <summary>More errors than this in one object tell nobody anything.</summary>
    private const int CausesMax = 50;

    /// <exception cref="StatusException">422 with all errors as causes, if there are any.</exception>
    public static void ThrowIfAny(IEnumerable<FieldError> errors, StatusSubject subject)
    {
        var causes = errors.Take(CausesMax).Select(ToCause).ToList();
        if (causes.Count > 0)
        {
            var parts = causes.Select(cause => $"{cause.Field}: {cause.Message}").ToList();
            throw StatusException.Invalid(subject, parts.Count == 1 ? parts[0] : $"[{string.Join(", ", parts)}]", causes);
        }
    }

    public static StatusCause ToCause(FieldError error) => new(ReasonOf(error.Kind), MessageOf(error), error.Path);

    public static string Describe(FieldError error) => $"{error.Path}: {MessageOf(error)}";

    private static string MessageOf(FieldError error)
    {
        var value = error.BadValue is null ? "" : $": {Shorten(error.BadValue.ToJsonString())}";
        var detail = error.Detail.Length == 0 ? "" : $": {error.Detail}";
        return error.Kind switch
        {
            FieldErrorKind.Required => $"Required value{detail}",
            FieldErrorKind.NotSupported => $"Unsupported value{value}{detail}",
            FieldErrorKind.Duplicate => $"Duplicate value{value}{detail}",
            FieldErrorKind.Forbidden => $"Forbidden{detail}",
            FieldErrorKind.TooLong => $"Too long{detail}",
            FieldErrorKind.TooMany => $"Too many{value}{detail}",
            FieldErrorKind.Unknown => $"Unknown field{detail}",
            _ => $"Invalid value{value}{detail}",
        };
    }

    private static string ReasonOf(FieldErrorKind kind) => kind switch
    {
        FieldErrorKind.Required => "FieldValueRequired",
        FieldErrorKind.NotSupported => "FieldValueNotSupported",
        FieldErrorKind.Duplicate => "FieldValueDuplicate",
        FieldErrorKind.Forbidden => "FieldValueForbidden",
        FieldErrorKind.TooLong => "FieldValueTooLong",
        FieldErrorKind.TooMany => "FieldValueTooMany",
        FieldErrorKind.TypeInvalid => "FieldValueTypeInvalid",
        _ => "FieldValueInvalid",
    };

    private static string Shorten(string text) => text.Length <= 256 ? text : text[..256] + "…";
}
