namespace Godwit.ApiServer.Requests;

/// <summary>
/// The one name that a field selector narrows to, if it does: <c>metadata.name=x</c>. Such a list or watch is about one
/// object, for authorisation as for the store.
/// </summary>
internal static class FieldSelectorName
{
    public static string Of(string fieldSelector)
    {
        foreach (var term in fieldSelector.Split(','))
        {
            if (term.StartsWith("metadata.name=", StringComparison.Ordinal))
            {
                return term["metadata.name=".Length..].TrimStart('=');
            }
        }

        return "";
    }
}
