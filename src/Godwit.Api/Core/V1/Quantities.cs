using System.Collections.Immutable;
using Godwit.Base;

namespace Godwit.Api.Core.V1;

/// <summary>The keys of resource lists, and the empty list.</summary>
public static class Quantities
{
    /// <summary>In cores.</summary>
    public const string Cpu = "cpu";

    /// <summary>In bytes.</summary>
    public const string Memory = "memory";

    /// <summary>In bytes of local disk.</summary>
    public const string EphemeralStorage = "ephemeral-storage";

    /// <summary>How many guests a node takes.</summary>
    public const string Pods = "pods";

    /// <summary>In bytes of a volume.</summary>
    public const string Storage = "storage";

    public static IReadOnlyDictionary<string, Quantity> None { get; } = ImmutableDictionary<string, Quantity>.Empty;
}
