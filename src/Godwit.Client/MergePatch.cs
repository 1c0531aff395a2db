namespace Godwit.Client;

/// <summary>The difference of two JSON documents as a JSON merge patch (RFC 7386): only what changed is sent, so writers of other fields are left alone.</summary>
public static class MergePatch
{
    /// <summary>
    /// The patch that makes <paramref name="after"/> from <paramref name="before"/>; empty when they are equal. Arrays
    /// are replaced whole, as the RFC says.
    /// </summary>
    public static JsonObject Between(JsonObject before, JsonObject after)
    {
        var patch = new JsonObject();
        foreach (var (name, _) in before)
        {
            if (!after.ContainsKey(name))
            {
                patch[name] = null;
            }
        }

        foreach (var (name, value) in after)
        {
            var had = before[name];
            if (had is JsonObject hadObject && value is JsonObject valueObject)
            {
                var inner = Between(hadObject, valueObject);
                if (inner.Count > 0)
                {
                    patch[name] = inner;
                }
            }
            else if (!JsonNode.DeepEquals(had, value))
            {
                patch[name] = value?.DeepClone();
            }
        }

        return patch;
    }
}
