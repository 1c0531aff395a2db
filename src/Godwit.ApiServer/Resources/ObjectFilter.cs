using System.Text.Json;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>Which objects of a kind a list, watch or collection deletion is about.</summary>
internal sealed record ObjectFilter(ServedResource Resource, string Namespace, string Name)
{
    /// <summary>True when the key alone decides.</summary>
    public bool MatchesByKey { get; } = true;

    public static ObjectFilter Read(ServedResource resource, RequestInfo info, ListOptions options)
    {
        if (options.LabelSelector.Length > 0 || (options.FieldSelector.Length > 0 && info.Name.Length == 0))
        {
            throw StatusException.BadRequest("selectors are not served yet");
        }

        return new ObjectFilter(resource, info.Namespace, info.Name);
    }

    public bool Matches(StoredObject candidate) => Name.Length == 0 || candidate.Name.SequenceEqual(Name);
}
