using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery;

/// <summary>What is particular to one kind when it is written. The base class is right for a kind without rules.</summary>
public abstract class ResourceStrategy
{
    /// <summary>True when an update may change metadata.generation, which it does when anything outside metadata and status changed.</summary>
    public virtual bool TracksGeneration => true;

    /// <summary>What names the kind's objects may have.</summary>
    public virtual NameRule NameRule => NameRule.DnsSubdomain;

    /// <summary>Fills in what the user left out. Must be idempotent.</summary>
    public virtual void ApplyDefaults(JsonObject resource)
    {
    }

    /// <summary>Clears or sets what a creator may not choose (status, for most kinds).</summary>
    public virtual void PrepareForCreate(JsonObject resource)
    {
    }

    /// <summary>Keeps what a writer may leave out and not take away. Before <see cref="ApplyDefaults"/>.</summary>
    public virtual void PrepareForUpdate(JsonObject updated, JsonObject existing)
    {
    }

    /// <summary>Rules beyond the schema, each error with its path. Metadata and schema are checked by the machinery.</summary>
    public virtual IEnumerable<FieldError> Validate(JsonObject resource) => [];

    /// <summary>Rules of a new object, beyond those that hold for one that is there too.</summary>
    public virtual IEnumerable<FieldError> ValidateCreate(JsonObject resource) => [];

    /// <summary>Rules between the old object and the new one: immutable fields, legal transitions.</summary>
    public virtual IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing) => [];

    /// <summary>Advice that does not refuse the request: sent as <c>Warning: 299</c>.</summary>
    public virtual IEnumerable<string> Warnings(JsonObject resource) => [];
}
