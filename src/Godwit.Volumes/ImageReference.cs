using System.Diagnostics.CodeAnalysis;

namespace Godwit.Volumes;

/// <summary>
/// The name of an image in the local images folder: <c>name</c> or <c>name:tag</c>, in the words of the OCI distribution
/// specification. The folder is <c>name</c> for no tag and for <c>latest</c>, else <c>name-tag</c>.
/// A reference to a registry, or by digest, is none of these: nothing is silently replaced by a local image of a similar name.
/// </summary>
public readonly record struct ImageReference
{
    public const int LengthMax = 128;

    private ImageReference(string folderName) => FolderName = folderName;

    /// <summary>One path segment: letters, digits, <c>.</c>, <c>_</c>, <c>-</c>; never <c>.</c> or <c>..</c>.</summary>
    public string FolderName { get; }

    /// <exception cref="VolumeException">Not such a name; says what is wrong with it.</exception>
    public static ImageReference Parse(string reference)
    {
        if (reference.Length is 0 or > LengthMax)
        {
            throw Refused(reference, $"it has {reference.Length} characters; 1 to {LengthMax} are allowed");
        }

        if (reference.AsSpan().ContainsAny('@', '/'))
        {
            throw Refused(reference, "with '/' or '@' it would be one of a registry, and those lie in no folder");
        }

        var colon = reference.IndexOf(':', StringComparison.Ordinal);
        var name = colon < 0 ? reference : reference[..colon];
        var tag = colon < 0 ? null : reference[(colon + 1)..];
        if (!IsSegment(name, char.IsAsciiLetterLower) || (tag is not null && !IsSegment(tag, char.IsAsciiLetter)))
        {
            throw Refused(reference, "a name has lower-case letters and digits with single '.', '_' or '-' between them, and may end in ':tag'");
        }

        return new ImageReference(tag is null or "latest" ? name : $"{name}-{tag}");
    }

    public override string ToString() => FolderName;

    private static bool IsSegment([NotNullWhen(true)] string? text, Func<char, bool> isLetter)
    {
        var afterSeparator = true;
        foreach (var each in text ?? "")
        {
            var isSeparator = each is '.' or '_' or '-';
            if (isSeparator ? afterSeparator : !isLetter(each) && !char.IsAsciiDigit(each))
            {
                return false;
            }

            afterSeparator = isSeparator;
        }

        return !afterSeparator;
    }

    private static VolumeException Refused(string reference, string reason) =>
        new($"'{Printable(reference)}' is not the name of an image here: {reason}.");

    private static string Printable(string text) =>
        string.Concat(text.Take(LengthMax).Select(each => char.IsControl(each) ? '·' : each));
}
