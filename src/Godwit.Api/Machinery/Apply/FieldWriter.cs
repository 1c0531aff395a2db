namespace Godwit.Api.Machinery.Apply;

/// <summary>Who writes, how and when.</summary>
/// <param name="Manager">The field manager, never empty.</param>
/// <param name="ApiVersion">The version in which the object is written.</param>
/// <param name="Subresource">The subresource that is written, or empty for the object itself.</param>
/// <param name="Now">The time for entries that change.</param>
public sealed record FieldWriter(string Manager, string ApiVersion, string Subresource, DateTimeOffset Now)
{
    /// <summary>A manager's name is at most this long.</summary>
    public const int ManagerLengthMax = 128;

    /// <summary>What is wrong with a manager's name, or null.</summary>
    public static string? CheckManager(string manager) =>
        manager.Length > ManagerLengthMax ? $"must have at most {ManagerLengthMax} characters"
        : manager.Any(letter => char.IsControl(letter) || char.IsSurrogate(letter)) ? "must be printable characters"
        : null;
}
