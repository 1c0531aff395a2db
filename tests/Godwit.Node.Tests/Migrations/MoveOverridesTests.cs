using Godwit.Api;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Base;
using Godwit.Node.Migrations;

namespace Godwit.Node.Tests.Migrations;

public sealed class MoveOverridesTests
{
    private static readonly MigrationPolicySpec Policy = new()
    {
        BandwidthPerMigration = Quantity.Parse("10M"),
        AllowPostCopy = true,
        Godwit = new MigrationSettings { DowntimeLimitMs = 300, RoundsMax = 7 },
    };

    [Fact]
    public void Without_annotations_the_policy_stands() => Assert.Same(Policy, Apply().Policy);

    [Fact]
    public void A_moves_own_wishes_replace_the_policys_and_nothing_else()
    {
        var (policy, refusal) = Apply((AnnotationNames.Bandwidth, "50M"), (AnnotationNames.DowntimeLimitMs, "40"));
        Assert.Null(refusal);
        Assert.Equal(
            Policy with { BandwidthPerMigration = Quantity.Parse("50M"), Godwit = Policy.Godwit! with { DowntimeLimitMs = 40 } },
            policy);
    }

    [Theory]
    [InlineData(AnnotationNames.Bandwidth, "fast")]
    [InlineData(AnnotationNames.Bandwidth, "0")]
    [InlineData(AnnotationNames.Bandwidth, "-5M")]
    [InlineData(AnnotationNames.DowntimeLimitMs, "0")]
    [InlineData(AnnotationNames.DowntimeLimitMs, "-1")]
    [InlineData(AnnotationNames.DowntimeLimitMs, "1e3")]
    [InlineData(AnnotationNames.DowntimeLimitMs, "99999999999999999999")]
    public void A_wish_that_cannot_be_read_is_a_refusal_that_names_the_annotation(string name, string text) =>
        Assert.Contains(name, Apply((name, text)).Refusal, StringComparison.Ordinal);

    private static (MigrationPolicySpec Policy, string? Refusal) Apply(params (string Name, string Value)[] annotations) =>
        MoveOverrides.Apply(Policy, annotations.ToDictionary(pair => pair.Name, pair => pair.Value, StringComparer.Ordinal));
}
