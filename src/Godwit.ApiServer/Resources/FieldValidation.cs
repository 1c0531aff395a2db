using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>What is done about fields that a kind does not have, and about fields given twice: they are dropped, and…</summary>
internal enum FieldValidation
{
    /// <summary>…the answer warns of them.</summary>
    Warn,

    /// <summary>…the request is refused.</summary>
    Strict,

    /// <summary>…nothing is said.</summary>
    Ignore,
}

internal static class FieldValidations
{
    public static FieldValidation Read(string text) => text switch
    {
        "" or "Warn" => FieldValidation.Warn,
        "Strict" => FieldValidation.Strict,
        "Ignore" => FieldValidation.Ignore,
        _ => throw StatusException.BadRequest($"fieldValidation={text} is not one of Ignore, Warn, Strict"),
    };

    /// <summary>Refuses, warns or keeps quiet about fields, by path, that are <paramref name="wrong"/> (unknown, duplicate).</summary>
    public static void Complain(WriteContext write, IReadOnlyList<string> paths, string wrong)
    {
        if (paths.Count == 0 || write.FieldValidation == FieldValidation.Ignore)
        {
            return;
        }

        var complaints = paths.Select(path => $"{wrong} field \"{path}\"").ToList();
        if (write.FieldValidation == FieldValidation.Strict)
        {
            var definition = write.Resource.Definition;
            throw StatusException.BadRequest($"{definition.Kind} in version \"{definition.Version}\" cannot be handled as a {definition.Kind}: strict decoding error: {string.Join(", ", complaints)}");
        }

        complaints.ForEach(write.Warn);
    }
}
