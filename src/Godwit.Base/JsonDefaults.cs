using System.Text.Json.Nodes;

namespace Godwit.Base;

/// <summary>
/// Reads what an older program wrote: the serializer gives a property that is missing null or zero, whatever its initializer says, so what has been added to a record since is
/// filled in from a record that has all of it.
/// </summary>
public static class JsonDefaults
{
    /// <summary>Adds to <paramref name="read"/> what it lacks of <paramref name="standard"/>, also in the objects that both have. Lists and values that are there stay as they are.</summary>
    /// <param name="kinds">Properties that tell which of several kinds an object is: such an object is whole, and nothing is added to it.</param>
    public static void Complete(JsonObject read, JsonObject standard, params ReadOnlySpan<string> kinds)
    {
        foreach (var (name, value) in standard)
        {
            if (!read.ContainsKey(name))
            {
                read[name] = value?.DeepClone();
            }
            else if (value is JsonObject inner && read[name] is JsonObject present && !Tells(present, kinds))
            {
                Complete(present, inner, kinds);
            }
        }
    }

    private static bool Tells(JsonObject present, ReadOnlySpan<string> kinds)
    {
        foreach (var kind in kinds)
        {
            if (present.ContainsKey(kind))
            {
                return true;
            }
        }

        return false;
    }
}
