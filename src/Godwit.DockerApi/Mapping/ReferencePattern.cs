using System.IO.Enumeration;
using Godwit.Oci;

namespace Godwit.DockerApi.Mapping;

/// <summary>Patterns such as <c>busy*</c> or <c>*:1.*</c> on images' names.</summary>
internal static class ReferencePattern
{
    /// <summary>With a tag, without one, or the last part of the name alone.</summary>
    public static bool Fits(ImageReference name, string pattern)
    {
        var last = name.Name[(name.Name.LastIndexOf('/') + 1)..];
        return new[] { name.ToString(), name.Name, last, $"{last}:{name.Tag}" }.Any(form => FileSystemName.MatchesSimpleExpression(pattern, form, ignoreCase: false));
    }
}
