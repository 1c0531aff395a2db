using Godwit.Linux.Processes;

namespace Godwit.Linux.Tests;

public sealed class IdMapTests
{
    [Theory]
    [InlineData("         0     100000      65536\n", 100_000u)]
    [InlineData("         0          0 4294967295\n", null)] // The host's own.
    [InlineData("0 1000 1\n1 100000 65536\n", null)]
    [InlineData("", null)]
    public void A_process_s_map_is_read_as_the_kernel_writes_it(string text, uint? first) => Assert.Equal(first, IdMap.Parse(text, text)?.FirstUserId);

    [Fact]
    public void Ids_are_translated_both_ways_and_strangers_are_nobody()
    {
        var ids = new IdMap(100_000, 200_000, 65_536);
        Assert.Equal((100_007u, 200_008u), (ids.UserOnHost(7), ids.GroupOnHost(8)));
        Assert.Equal((7u, 8u), (ids.UserInside(100_007), ids.GroupInside(200_008)));
        Assert.Equal((IdMap.Nobody, IdMap.Nobody), (ids.UserInside(0), ids.GroupInside(200_000 + 65_536)));
        Assert.Throws<ArgumentOutOfRangeException>(() => ids.UserOnHost(65_536));
    }
}
