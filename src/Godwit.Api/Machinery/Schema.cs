using System.Collections.Frozen;

namespace Godwit.Api.Machinery;

/// <summary>
/// The shape of a JSON value. One table of shapes for each kind serves everybody who must know it:
/// <code>
///                      ┌─ SchemaCheck            unknown fields by path, types, required, lists as maps; prunes
///   ObjectSchema ──────┼─ StrategicMergePatch    which lists merge, and by which key
///                      ├─ ServerSideApply        what has one owner, and what several
///    └ SchemaField ────┼─ ProtobufDecoder        field numbers
///       └ Schema …     └─ OpenApi (v2, v3)       kubectl explain, client-side validation, apply
/// </code>
/// A test holds the table and the typed records to each other. Shapes are immutable and shared; none refers to itself.
/// </summary>
public abstract record Schema
{
    private protected Schema()
    {
    }

    public static TextSchema Text { get; } = new();

    public static IntegerSchema Integer32 { get; } = new(Bits: 32);

    public static IntegerSchema Integer64 { get; } = new(Bits: 64);

    public static NumberSchema Number { get; } = new();

    public static BooleanSchema Flag { get; } = new();

    public static BytesSchema Bytes { get; } = new();

    public static TimeSchema Time { get; } = new(Micro: false);

    public static TimeSchema MicroTime { get; } = new(Micro: true);

    public static QuantitySchema Quantity { get; } = new();

    public static IntOrTextSchema IntOrText { get; } = new();

    public static FreeFormSchema FreeForm { get; } = new();

    public static MapSchema TextMap { get; } = new(Text);

    public static MapSchema QuantityMap { get; } = new(Quantity);

    /// <summary>One of a few words.</summary>
    public static TextSchema OneOf(params string[] words) => new() { Words = words };

    public static MapSchema MapOf(Schema values) => new(values);

    /// <summary>A list that is replaced as a whole.</summary>
    public static ArraySchema ListOf(Schema items) => new(items);

    /// <summary>A list of scalars, each once.</summary>
    public static ArraySchema SetOf(Schema items) => new(items) { ListType = ListType.Set };

    /// <summary>A list of objects, told apart by <paramref name="keys"/>, which are unique together.</summary>
    public static ArraySchema ListByKey(ObjectSchema items, params string[] keys) => new(items) { ListType = ListType.Map, MapKeys = keys };
}

/// <summary>Text. When <see cref="Words"/> is not empty, one of these.</summary>
public sealed record TextSchema : Schema
{
    public IReadOnlyList<string> Words { get; init; } = [];
}

/// <summary>A whole number of 32 or 64 bits, signed.</summary>
public sealed record IntegerSchema(int Bits) : Schema
{
    public long Min => Bits == 32 ? int.MinValue : long.MinValue;

    public long Max => Bits == 32 ? int.MaxValue : long.MaxValue;
}

/// <summary>A real number.</summary>
public sealed record NumberSchema : Schema;

public sealed record BooleanSchema : Schema;

/// <summary>Bytes, in JSON as base64.</summary>
public sealed record BytesSchema : Schema;

/// <summary>A time in RFC 3339, to the second or (<see cref="Micro"/>) the microsecond.</summary>
public sealed record TimeSchema(bool Micro) : Schema;

/// <summary>A <see cref="Godwit.Base.Quantity"/>: text, or a number.</summary>
public sealed record QuantitySchema : Schema;

/// <summary>A whole number or a text.</summary>
public sealed record IntOrTextSchema : Schema;

/// <summary>Any JSON value; nothing in it is looked at.</summary>
public sealed record FreeFormSchema : Schema;

/// <summary>An object whose keys are data.</summary>
public sealed record MapSchema(Schema Values) : Schema
{
    /// <summary>True when server-side apply takes the whole map for one value, owned by one manager.</summary>
    public bool IsAtomic { get; init; }
}

/// <summary>What a list is to those who merge it.</summary>
public enum ListType
{
    /// <summary>One value, replaced as a whole.</summary>
    Atomic,

    /// <summary>Scalars, each once.</summary>
    Set,

    /// <summary>Objects, told apart by keys.</summary>
    Map,
}

public sealed record ArraySchema(Schema Items) : Schema
{
    public ListType ListType { get; init; } = ListType.Atomic;

    /// <summary>For <see cref="Machinery.ListType.Map"/>: the fields whose values together are unique.</summary>
    public IReadOnlyList<string> MapKeys { get; init; } = [];
}

/// <summary>An object of known fields. <see cref="Name"/> is its definition's name in OpenAPI documents.</summary>
public sealed record ObjectSchema : Schema
{
    private readonly FrozenDictionary<string, SchemaField> byName;
    private readonly FrozenDictionary<int, SchemaField> byNumber;
    private readonly FrozenDictionary<int, ObjectSchema> embedded;

    public ObjectSchema(string name, string description, params IReadOnlyList<SchemaField> fields)
    {
        Name = name;
        Description = description;
        Fields = fields;
        byName = fields.ToFrozenDictionary(field => field.Name, StringComparer.Ordinal);
        byNumber = fields.Where(field => field is { ProtobufNumber: > 0, ProtobufWithin: 0 }).ToFrozenDictionary(field => field.ProtobufNumber);
        embedded = fields.Where(field => field.ProtobufWithin > 0).GroupBy(field => field.ProtobufWithin).ToFrozenDictionary(
            group => group.Key, group => new ObjectSchema(name, description, [.. group.Select(field => field with { ProtobufWithin = 0 })]));
    }

    public string Name { get; }

    public string Description { get; }

    public IReadOnlyList<SchemaField> Fields { get; }

    /// <summary>True when server-side apply takes the whole object for one value, owned by one manager.</summary>
    public bool IsAtomic { get; init; }

    public SchemaField? Find(string name) => byName.GetValueOrDefault(name);

    public SchemaField? FindByNumber(int protobufNumber) => byNumber.GetValueOrDefault(protobufNumber);

    /// <summary>The fields that Kubernetes' protobuf form puts into a message of their own, and JSON does not; null when the number has none.</summary>
    public ObjectSchema? FindEmbedded(int protobufNumber) => embedded.GetValueOrDefault(protobufNumber);
}

/// <summary>How strategic merge patch treats a field's list or object.</summary>
[Flags]
public enum PatchStrategies
{
    /// <summary>Lists are replaced, objects merged.</summary>
    None = 0,

    /// <summary>A list is merged, by <see cref="SchemaField.PatchMergeKey"/> or as a set of scalars.</summary>
    Merge = 1,

    /// <summary>An object keeps only the keys that <c>$retainKeys</c> names.</summary>
    RetainKeys = 2,
}

/// <summary>One field of an object.</summary>
public sealed record SchemaField(string Name, Schema Schema, string Description)
{
    /// <summary>The number in Kubernetes' protobuf form; 0 where there is none.</summary>
    public int ProtobufNumber { get; init; }

    /// <summary>The number of the message that holds this field in the protobuf form, where it stands deeper than in JSON; else 0.</summary>
    public int ProtobufWithin { get; init; }

    /// <summary>
    /// True when zero is not the same as absence. Kubernetes' protobuf form writes most zeros without meaning them, so a
    /// decoded zero is dropped unless this says otherwise.
    /// </summary>
    public bool ZeroMatters { get; init; }

    /// <summary>The object is refused without it.</summary>
    public bool IsRequired { get; init; }

    public PatchStrategies PatchStrategy { get; init; }

    /// <summary>Tells the items of a merged list apart; null for a set of scalars.</summary>
    public string? PatchMergeKey { get; init; }

    /// <summary>What an absent value stands for, as JSON, where that tells items of a list apart or is to be explained; else null.</summary>
    public string? Default { get; init; }

    /// <summary>This field, required.</summary>
    public SchemaField Required() => this with { IsRequired = true };

    /// <summary>This number, whose zero is a value: where it is required and missing, it is zero.</summary>
    public SchemaField ZeroIsAValue() => this with { ZeroMatters = true };

    /// <summary>This field, in the protobuf form inside the message of that number.</summary>
    public SchemaField Within(int protobufNumber) => this with { ProtobufWithin = protobufNumber };

    /// <summary>This list's items, of whose fields a patch keeps only those that it names.</summary>
    public SchemaField RetainsKeys() => this with { PatchStrategy = PatchStrategy | PatchStrategies.RetainKeys };

    /// <summary>This field, which stands for a value (JSON) when it is absent.</summary>
    public SchemaField DefaultsTo(string json) => this with { Default = json };

    /// <summary>This list, merged by a key (null: as a set of scalars).</summary>
    public SchemaField Merged(string? key = null) => this with { PatchStrategy = PatchStrategy | PatchStrategies.Merge, PatchMergeKey = key };
}
