using Godwit.Api.Meta.V1;
using Godwit.Base;

namespace Godwit.Api.Migrations.V1Alpha1;

/// <summary>How the guests that it selects are moved. The most specific policy wins.</summary>
public sealed record MigrationPolicy() : Resource(Type), IResource<MigrationPolicy>
{
    public static ResourceType Type { get; } = new(GroupName.Migrations, "v1alpha1", "MigrationPolicy", "migrationpolicies", Namespaced: false);

    public MigrationPolicySpec Spec { get; init => field = value ?? new(); } = new();
}

public sealed record MigrationPolicySpec
{
    public MigrationPolicySelectors? Selectors { get; init; }

    /// <summary>True: a guest that dirties memory faster than it can be sent may be slowed down.</summary>
    public bool? AllowAutoConverge { get; init; }

    /// <summary>True: such a guest may run on the target before all of its memory is there.</summary>
    public bool? AllowPostCopy { get; init; }

    /// <summary>In bytes a second; zero or absent: all that the link gives.</summary>
    public Quantity? BandwidthPerMigration { get; init; }

    /// <summary>Time budget in seconds for each GiB of memory.</summary>
    public long? CompletionTimeoutPerGiB { get; init; }

    /// <summary>Settings that KubeVirt has no word for.</summary>
    public MigrationSettings? Godwit { get; init; }
}

/// <summary>Both must match; an absent one matches all.</summary>
public sealed record MigrationPolicySelectors
{
    /// <summary>Labels of the namespace.</summary>
    public IReadOnlyDictionary<string, string> NamespaceSelector { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;

    /// <summary>Labels of the VirtualMachineInstance.</summary>
    public IReadOnlyDictionary<string, string> VirtualMachineInstanceSelector { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;
}

/// <summary>When pre-copy ends and what then. See docs/migration.md for the rules.</summary>
public sealed record MigrationSettings
{
    /// <summary>The longest stop of the guest that is aimed at.</summary>
    public long? DowntimeLimitMs { get; init; }

    /// <summary>Pre-copy ends after so many passes over memory.</summary>
    public int? RoundsMax { get; init; }

    /// <summary>Pre-copy ends when so many times the guest's memory was sent.</summary>
    public double? CopiedMemoryFactorMax { get; init; }

    /// <summary>Pre-copy ends when no more than this is left to send.</summary>
    public long? ThresholdBytes { get; init; }

    /// <summary>One of <see cref="MigrationTransports"/>.</summary>
    public string? Transport { get; init; }

    /// <summary>What to do when a rule other than the threshold ended pre-copy: one of <see cref="NotConvergingActions"/>.</summary>
    public string? OnNotConverging { get; init; }
}

public static class MigrationTransports
{
    /// <summary>Through both agents' mutually authenticated TLS connection.</summary>
    public const string Tls = "tls";

    /// <summary>From QEMU to QEMU, in TLS with keys made for this move alone: the agents copy no bytes, and their end does not break the stream. Needs ports of its own (<see cref="DirectPortFirst"/> and up) between the hosts.</summary>
    public const string Direct = "direct";

    /// <summary>The first of the ports on which targets listen for direct streams.</summary>
    public const int DirectPortFirst = 49152;

    public const int DirectPortCount = 64;
}

public static class NotConvergingActions
{
    /// <summary>Stop the guest and send the rest, whatever it takes.</summary>
    public const string SwitchOver = "SwitchOver";

    /// <summary>Slow the guest down until it converges.</summary>
    public const string AutoConverge = "AutoConverge";

    /// <summary>Run it on the target and fetch the rest.</summary>
    public const string PostCopy = "PostCopy";

    /// <summary>Leave the guest where it is.</summary>
    public const string GiveUp = "GiveUp";
}
