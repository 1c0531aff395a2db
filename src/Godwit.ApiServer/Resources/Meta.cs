using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// An object's metadata, read and set by name. What has the wrong JSON type is refused where it is read, so the code
/// behind never meets it.
/// </summary>
internal readonly struct Meta
{
    private readonly JsonObject fields;

    private Meta(JsonObject fields) => this.fields = fields;

    public string Name
    {
        get => Text("name");
        set => fields["name"] = value;
    }

    public string GenerateName => Text("generateName");

    public string Namespace
    {
        get => Text("namespace");
        set => Set("namespace", value);
    }

    public string Uid
    {
        get => Text("uid");
        set => Set("uid", value);
    }

    public string ResourceVersion
    {
        get => Text("resourceVersion");
        set => Set("resourceVersion", value);
    }

    public string DeletionTimestamp
    {
        get => Text("deletionTimestamp");
        set => Set("deletionTimestamp", value);
    }

    public bool IsDeleting => DeletionTimestamp.Length > 0;

    public long Generation
    {
        get => fields["generation"] is JsonValue value && value.TryGetValue<long>(out var number) ? number : 0;
        set => fields["generation"] = value;
    }

    public JsonNode? this[string field] => fields[field];

    public IReadOnlyList<string> Finalizers => fields["finalizers"] switch
    {
        null => [],
        JsonArray list => [.. list.Select(item => TextOf(item, "metadata.finalizers"))],
        _ => throw WrongType("metadata.finalizers", "an array of strings"),
    };

    /// <summary>The metadata of an object; an absent one is made.</summary>
    public static Meta Of(JsonObject resource)
    {
        if (resource["metadata"] is null)
        {
            resource["metadata"] = new JsonObject();
        }

        return resource["metadata"] is JsonObject fields ? new Meta(fields) : throw WrongType("metadata", "an object");
    }

    public static string Time(DateTimeOffset instant) => instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public void Remove(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            fields.Remove(name);
        }
    }

    /// <summary>Makes a field what it is in another object, or absent as it is there.</summary>
    public void CopyFrom(Meta other, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (other.fields[name] is { } value)
            {
                fields[name] = value.DeepClone();
            }
            else
            {
                fields.Remove(name);
            }
        }
    }

    public void SetFinalizers(IEnumerable<string> finalizers)
    {
        var list = new JsonArray([.. finalizers.Select(item => (JsonNode)JsonValue.Create(item)!)]);
        if (list.Count == 0)
        {
            fields.Remove("finalizers");
        }
        else
        {
            fields["finalizers"] = list;
        }
    }

    public void SetList(string name, JsonArray value) => fields[name] = value;

    public void SetNumber(string name, long value) => fields[name] = value;

    public void SetText(string name, string value) => Set(name, value);

    private static string TextOf(JsonNode? node, string path) => node switch
    {
        null => "",
        JsonValue value when value.TryGetValue<string>(out var text) => text,
        _ => throw WrongType(path, "a string"),
    };

    private static StatusException WrongType(string path, string wanted) => StatusException.BadRequest($"{path} must be {wanted}");

    private string Text(string name) => TextOf(fields[name], "metadata." + name);

    private void Set(string name, string value)
    {
        if (value.Length == 0)
        {
            fields.Remove(name);
        }
        else
        {
            fields[name] = value;
        }
    }
}
