using System.Globalization;
using Godwit.Api;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Base;

namespace Godwit.Node.Migrations;

/// <summary>What one move asks for in place of its policy, as annotations on its object; pure.</summary>
internal static class MoveOverrides
{
    /// <summary>A guest that may stand still for longer than this is better moved cold.</summary>
    public const long DowntimeLimitMsMax = 24L * 60 * 60 * 1000;

    /// <summary>The policy with the move's own wishes in it, or why one of them cannot be read.</summary>
    public static (MigrationPolicySpec Policy, string? Refusal) Apply(MigrationPolicySpec policy, IReadOnlyDictionary<string, string> annotations)
    {
        if (annotations.TryGetValue(AnnotationNames.Bandwidth, out var bandwidthText))
        {
            if (!Quantity.TryParse(bandwidthText, out var bandwidth) || bandwidth.Value < 1)
            {
                return (policy, $"the annotation {AnnotationNames.Bandwidth} is no rate: write bytes a second, for example 50M");
            }

            policy = policy with { BandwidthPerMigration = bandwidth };
        }

        if (annotations.TryGetValue(AnnotationNames.DowntimeLimitMs, out var limitText))
        {
            if (!long.TryParse(limitText, NumberStyles.None, CultureInfo.InvariantCulture, out var limitMs) || limitMs is < 1 or > DowntimeLimitMsMax)
            {
                return (policy, $"the annotation {AnnotationNames.DowntimeLimitMs} is no time: write milliseconds, from 1 to {DowntimeLimitMsMax}");
            }

            policy = policy with { Godwit = (policy.Godwit ?? new()) with { DowntimeLimitMs = limitMs } };
        }

        return (policy, null);
    }
}
