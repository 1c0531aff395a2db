namespace Godwit.Networks.Names;

/// <summary>What may stand in a name (RFC 1035, RFC 1123): names come from the API and stand in lines of ours, where nothing but a name may get.</summary>
public static class DomainName
{
    public const int LengthMax = 253;
    private const int LabelLengthMax = 63;

    /// <summary>Labels with dots between them, in lower case.</summary>
    public static bool IsSound(string name) => name.Length is > 0 and <= LengthMax && name.Split('.').All(IsSoundLabel);

    /// <summary>1 to 63 lower-case letters, digits and inner '-'.</summary>
    public static bool IsSoundLabel(string label) =>
        label.Length is > 0 and <= LabelLengthMax
        && label.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter == '-')
        && label[0] != '-' && label[^1] != '-';

    /// <exception cref="ArgumentException">It is no name.</exception>
    internal static void Check(string name)
    {
        if (name.Length is 0 or > LengthMax)
        {
            throw new ArgumentException($"'{name}' is no domain name: 1 to {LengthMax} letters");
        }

        foreach (var label in name.Split('.'))
        {
            CheckLabel(label);
        }
    }

    /// <exception cref="ArgumentException">It is no part of a name.</exception>
    internal static void CheckLabel(string label)
    {
        if (!IsSoundLabel(label))
        {
            throw new ArgumentException($"'{label}' is no part of a domain name: 1 to {LabelLengthMax} lower-case letters, digits and inner '-'");
        }
    }
}
