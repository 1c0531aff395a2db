namespace Godwit.Containers.Tests;

public sealed class ContainerIdTests
{
    [Fact]
    public void A_generated_id_reads_back_and_no_two_are_alike()
    {
        var ids = Enumerable.Range(0, 100).Select(_ => ContainerId.Generate()).ToHashSet();
        Assert.Equal(100, ids.Count);
        Assert.All(ids, id => Assert.Equal(id, ContainerId.Parse(id.ToString())));
    }

    [Theory]
    [InlineData("")]
    [InlineData("abc")]
    [InlineData("../../../../../../../../../../../../../../../../../../etc/passwd")]
    [InlineData("ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789")]
    public void What_is_no_id_is_refused(string text) => Assert.False(ContainerId.TryParse(text, out _));
}
