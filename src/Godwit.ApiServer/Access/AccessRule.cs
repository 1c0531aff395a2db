using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Access;

/// <summary>Lets verbs be done to resources of a group; <c>*</c> is any. A subresource is written <c>resource/subresource</c>.</summary>
internal sealed record AccessRule(string Group, IReadOnlyList<string> Resources, IReadOnlyList<string> Verbs)
{
    /// <summary>The only names that it is about; empty: all.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    public bool Allows(RequestInfo info)
    {
        var resource = info.Subresource.Length == 0 ? info.Resource : $"{info.Resource}/{info.Subresource}";
        return (Group == "*" || Group == info.Group)
            && (Resources.Contains("*") || Resources.Contains(resource))
            && (Names.Count == 0 || Names.Contains(info.Name))
            && (Verbs.Contains("*") || Verbs.Contains(info.Verb));
    }
}
