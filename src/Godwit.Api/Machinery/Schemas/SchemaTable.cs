namespace Godwit.Api.Machinery.Schemas;

/// <summary>The words in which the tables of shapes are written.</summary>
internal static class SchemaTable
{
    /// <summary>A field of a kind that has no protobuf form.</summary>
    public static SchemaField Field(string name, Schema schema, string description) => new(name, schema, description);

    /// <summary>A field with its number in Kubernetes' protobuf form.</summary>
    public static SchemaField Field(int number, string name, Schema schema, string description) =>
        new(name, schema, description) { ProtobufNumber = number };

    /// <summary>A whole kind: what every object has, and then its own.</summary>
    public static ObjectSchema Kind(string name, string description, params SchemaField[] fields) => new(
        name,
        description,
        [
            Field("apiVersion", Schema.Text, "Group and version of the shape that this object is written in."),
            Field("kind", Schema.Text, "The kind of this object, in CamelCase."),
            Field(1, "metadata", MetaSchemas.ObjectMeta, "Identity and bookkeeping."),
            .. fields,
        ]);
}
