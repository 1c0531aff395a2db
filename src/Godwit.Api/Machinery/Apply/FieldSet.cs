using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery.Apply;

/// <summary>
/// A set of fields of an object, as a tree. A step is named as in <c>FieldsV1</c>: <c>f:name</c> for a field,
/// <c>k:{"name":"a"}</c> for an item of a list by key, <c>v:"x"</c> for an item of a list of scalars. A place may be in
/// the set itself (a member), lead to others that are, or both. Sets are immutable, and have one form: no empty branches,
/// steps in ordinal order.
/// </summary>
public sealed class FieldSet
{
    /// <summary>Written in a place that is a member and has others below it.</summary>
    private const string Self = ".";

    // As Kubernetes writes them: clients compare steps as text.
    private static readonly JsonSerializerOptions KeyOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Branch[] branches;

    private FieldSet(bool isMember, Branch[] branches)
    {
        IsMember = isMember;
        this.branches = branches;
    }

    public static FieldSet Empty { get; } = new(isMember: false, []);

    /// <summary>The set of just the place where it hangs.</summary>
    public static FieldSet Leaf { get; } = new(isMember: true, []);

    /// <summary>True when the place itself is in the set, beside what is below it.</summary>
    public bool IsMember { get; }

    public bool IsEmpty => !IsMember && branches.Length == 0;

    public ReadOnlySpan<Branch> Branches => branches;

    /// <summary>A set of branches in any order, each step once.</summary>
    public static FieldSet Of(bool isMember, IEnumerable<Branch> branches)
    {
        var kept = branches.Where(branch => !branch.Set.IsEmpty).ToArray();
        Array.Sort(kept, static (left, right) => string.CompareOrdinal(left.Step, right.Step));
        return Make(isMember, kept);
    }

    /// <summary>The text of a key or a value in a step.</summary>
    public static string StepText(JsonNode? value) => value?.ToJsonString(KeyOptions) ?? "null";

    /// <summary>What is below a step.</summary>
    public FieldSet At(string step)
    {
        var (low, high) = (0, branches.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = string.CompareOrdinal(branches[middle].Step, step);
            if (order == 0)
            {
                return branches[middle].Set;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return Empty;
    }

    /// <summary>The same set with the place itself in it.</summary>
    public FieldSet WithSelf() => IsMember ? this : new FieldSet(isMember: true, branches);

    public FieldSet Union(FieldSet other) => IsEmpty ? other : other.IsEmpty ? this : Combine(other, (here, there) => here || there);

    public FieldSet Intersect(FieldSet other) => IsEmpty || other.IsEmpty ? Empty : Combine(other, (here, there) => here && there);

    public FieldSet Except(FieldSet other) => IsEmpty || other.IsEmpty ? this : Combine(other, (here, there) => here && !there);

    /// <summary>Without everything that is at or below a member of the other set.</summary>
    public FieldSet ExceptBelow(FieldSet other) =>
        other.IsMember ? Empty
        : other.IsEmpty || IsEmpty ? this
        : Make(IsMember, [.. branches.Select(branch => branch with { Set = branch.Set.ExceptBelow(other.At(branch.Step)) }).Where(branch => !branch.Set.IsEmpty)]);

    /// <summary>Each member's path, one step after another.</summary>
    public IEnumerable<IReadOnlyList<string>> Paths()
    {
        if (IsMember)
        {
            yield return [];
        }

        foreach (var (step, set) in branches)
        {
            foreach (var path in set.Paths())
            {
                yield return [step, .. path];
            }
        }
    }

    public bool SameAs(FieldSet other) =>
        ReferenceEquals(this, other)
        || (IsMember == other.IsMember && branches.Length == other.branches.Length
            && branches.Zip(other.branches).All(pair => pair.First.Step == pair.Second.Step && pair.First.Set.SameAs(pair.Second.Set)));

    /// <summary>The set as <c>FieldsV1</c>.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject();
        if (IsMember && branches.Length > 0)
        {
            json[Self] = new JsonObject();
        }

        foreach (var (step, set) in branches)
        {
            json[step] = set.ToJson();
        }

        return json;
    }

    /// <exception cref="FormatException">The JSON is no field set.</exception>
    public static FieldSet FromJson(JsonObject json) => Read(json, isRoot: true);

    private static FieldSet Read(JsonObject json, bool isRoot)
    {
        var read = new Dictionary<string, FieldSet>(StringComparer.Ordinal);
        foreach (var (name, value) in json)
        {
            if (name == Self)
            {
                continue;
            }

            if (value is not JsonObject inner || Canonical(name) is not { } step)
            {
                throw new FormatException($"\"{name}\" is no step of a field set: expected f:NAME, k:{{KEYS}}, v:VALUE or i:INDEX, with an object");
            }

            read[step] = Read(inner, isRoot: false).Union(read.GetValueOrDefault(step) ?? Empty);
        }

        return Of(json.ContainsKey(Self) || (!isRoot && read.Count == 0), read.Select(pair => new Branch(pair.Key, pair.Value)));
    }

    /// <summary>A step as this server would write it, or null when it is none.</summary>
    private static string? Canonical(string name)
    {
        if (name.Length < 2 || name[1] != ':')
        {
            return null;
        }

        if (name[0] is 'f')
        {
            return name;
        }

        try
        {
            return (name[0], JsonNode.Parse(name[2..])) switch
            {
                ('k', JsonObject keys) => "k:" + StepText(new JsonObject(keys.OrderBy(key => key.Key, StringComparer.Ordinal).Select(key => KeyValuePair.Create(key.Key, key.Value?.DeepClone())))),
                ('v', var value) => "v:" + StepText(value),
                ('i', JsonValue index) when JsonAccess.AsInt64(index) is >= 0 => name,
                _ => null,
            };
        }
        catch (Exception error) when (error is JsonException or ArgumentException)
        {
            return null; // No JSON, or an object that says a key twice.
        }
    }

    private static FieldSet Make(bool isMember, Branch[] branches) =>
        branches.Length > 0 ? new FieldSet(isMember, branches) : isMember ? Leaf : Empty;

    private FieldSet Combine(FieldSet other, Func<bool, bool, bool> rule)
    {
        var combined = new List<Branch>(branches.Length + other.branches.Length);
        var (here, there) = (0, 0);
        while (here < branches.Length || there < other.branches.Length)
        {
            var order = here == branches.Length ? 1 : there == other.branches.Length ? -1 : string.CompareOrdinal(branches[here].Step, other.branches[there].Step);
            var step = order <= 0 ? branches[here].Step : other.branches[there].Step;
            var set = (order <= 0 ? branches[here++].Set : Empty).Combine(order >= 0 ? other.branches[there++].Set : Empty, rule);
            if (!set.IsEmpty)
            {
                combined.Add(new Branch(step, set));
            }
        }

        return Make(rule(IsMember, other.IsMember), [.. combined]);
    }

    /// <summary>One step, and what is there and below.</summary>
    public readonly record struct Branch(string Step, FieldSet Set);
}
