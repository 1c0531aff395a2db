namespace Godwit.Api.Meta.V1;

/// <summary>Identity and bookkeeping of an object.</summary>
/// <remarks>
/// managedFields is left out on purpose: nobody here looks into it, the server keeps it across an update that does not
/// send it, and it is a third of a small object in every cache.
/// </remarks>
public sealed record ObjectMeta
{
    /// <summary>Unique among the objects of the kind in the namespace.</summary>
    public string Name { get; init => field = value ?? ""; } = "";

    /// <summary>A prefix: the server appends five random characters when <see cref="Name"/> is empty.</summary>
    public string? GenerateName { get; init; }

    /// <summary>Empty for cluster-wide kinds.</summary>
    public string Namespace { get; init => field = value ?? ""; } = "";

    /// <summary>A UUID set by the server: tells an object from a later one of the same name.</summary>
    public string Uid { get; init => field = value ?? ""; } = "";

    /// <summary>The store's revision at the last write: opaque, to be sent back with an update so that a lost race is a 409.</summary>
    public string ResourceVersion { get; init => field = value ?? ""; } = "";

    /// <summary>Counts the changes of anything but metadata and status.</summary>
    public long? Generation { get; init; }

    public DateTimeOffset? CreationTimestamp { get; init; }

    /// <summary>Set when deletion was asked for; the object goes when its finalizers are gone.</summary>
    public DateTimeOffset? DeletionTimestamp { get; init; }

    public long? DeletionGracePeriodSeconds { get; init; }

    public IReadOnlyDictionary<string, string> Labels { get; init => field = value ?? Empty; } = Empty;

    public IReadOnlyDictionary<string, string> Annotations { get; init => field = value ?? Empty; } = Empty;

    /// <summary>Names of those who still have work to do before the object may go.</summary>
    public IReadOnlyList<string> Finalizers { get; init => field = value ?? []; } = [];

    public IReadOnlyList<OwnerReference> OwnerReferences { get; init => field = value ?? []; } = [];

    /// <summary>No labels, no annotations.</summary>
    public static IReadOnlyDictionary<string, string> Empty { get; } = System.Collections.Immutable.ImmutableDictionary<string, string>.Empty;
}

/// <summary>An object without which this one has no reason to exist.</summary>
public sealed record OwnerReference
{
    public string ApiVersion { get; init => field = value ?? ""; } = "";

    public string Kind { get; init => field = value ?? ""; } = "";

    public string Name { get; init => field = value ?? ""; } = "";

    public string Uid { get; init => field = value ?? ""; } = "";

    /// <summary>True for the one owner that manages this object.</summary>
    public bool? Controller { get; init; }

    /// <summary>True when a foreground deletion of the owner waits for this object.</summary>
    public bool? BlockOwnerDeletion { get; init; }
}

/// <summary>Bookkeeping of a list.</summary>
public sealed record ListMeta
{
    /// <summary>The revision that the list shows: a watch from here misses nothing.</summary>
    public string ResourceVersion { get; init => field = value ?? ""; } = "";

    /// <summary>Opaque: ask again with it for the next page. Empty on the last page.</summary>
    public string? Continue { get; init; }

    public long? RemainingItemCount { get; init; }
}

/// <summary>The objects of one kind, or a page of them.</summary>
public sealed record ResourceList<T> : IResourceList
    where T : Resource, IResource<T>
{
    public string ApiVersion => T.Type.ApiVersion;

    public string Kind => T.Type.Kind + "List";

    public ListMeta Metadata { get; init => field = value ?? new(); } = new();

    public IReadOnlyList<T> Items { get; init => field = value ?? []; } = [];
}

/// <summary>Marks lists, whose <c>items</c> are written even when there are none.</summary>
internal interface IResourceList;
