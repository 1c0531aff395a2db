using Godwit.Node.Migrations;
using Godwit.Volumes;

namespace Godwit.Node.Tests.Migrations;

public sealed class SharedDisksTests
{
    private static readonly NodeName Target = NodeName.Parse("node-2");
    private static readonly IReadOnlyList<AskedSharedDisk> Asked =
        [new("data", "/shared/data.raw", new SharedDiskView(new StorageId(Guid.NewGuid()), "data.raw", 7, Linux.Files.FileKind.Regular, 512), "proof")];

    [Fact]
    public void A_target_that_read_what_was_written_a_moment_ago_sees_the_disk() =>
        Assert.Null(SharedDisks.FindRefusal(Asked, ["secret"], new(["secret"], null), Target));

    [Theory]
    [InlineData("secret", "")]
    [InlineData("secret", "another")]
    [InlineData("", "")]
    public void A_target_that_did_not_is_refused_though_path_marker_and_inode_are_alike(string written, string read) =>
        Assert.StartsWith("DiskNotShared", SharedDisks.FindRefusal(Asked, [written], new([read], null), Target), StringComparison.Ordinal);

    [Fact]
    public void A_target_that_says_why_not_is_heard_and_one_that_does_not_answer_for_all_is_refused()
    {
        Assert.Equal("why", SharedDisks.FindRefusal(Asked, ["secret"], new([], "why"), Target));
        Assert.NotNull(SharedDisks.FindRefusal(Asked, ["secret"], new([], null), Target));
    }
}
