using System.Net;
using CsCheck;
using Godwit.Networks.Addressing;

namespace Godwit.Networks.Tests.Addressing;

public sealed class Ipv4NetworkTests
{
    private static readonly Gen<Ipv4Network> Networks = Gen.Select(Gen.UInt, Gen.Int[1, 30])
        .Select((bits, length) => Ipv4Network.Parse($"{new IPAddress(Swap(bits & uint.MaxValue << (32 - length)))}/{length}"));

    [Fact]
    public void Its_parts_are_those_of_the_textbook()
    {
        var network = Ipv4Network.Parse("10.244.0.0/16");
        Assert.Equal("10.244.0.0 255.255.0.0 10.244.255.255 10.244.0.1 10.244.255.254 65534", $"{network.Address} {network.Mask} {network.Broadcast} {network.FirstUsable} {network.LastUsable} {network.UsableCount}");
    }

    [Fact]
    public void What_is_written_is_read() => Networks.Sample(network => Ipv4Network.Parse(network.ToString()) == network);

    [Fact]
    public void Numbers_and_addresses_of_stations_are_one_to_one() => Gen.Select(Networks, Gen.UInt).Sample((network, any) =>
    {
        var number = any % network.UsableCount;
        var address = network.UsableAt(number);
        return network.IsUsable(address) && network.NumberOf(address) == number;
    });

    [Fact]
    public void Its_own_and_its_broadcast_address_are_inside_but_no_stations() => Networks.Sample(network =>
        network.Contains(network.Address) && network.Contains(network.Broadcast) && !network.IsUsable(network.Address) && !network.IsUsable(network.Broadcast)
        && network.IsUsable(network.FirstUsable) && network.IsUsable(network.LastUsable));

    [Fact]
    public void The_first_free_address_is_the_lowest_that_is_not_taken() => Gen.Select(Networks, Gen.UInt[0, 40].HashSet[0, 40]).Sample((network, numbers) =>
    {
        var taken = numbers.Where(number => number < network.UsableCount).Select(network.UsableAt).ToHashSet();
        var free = network.FirstFree(taken);
        return free is null
            ? taken.Count == network.UsableCount
            : !taken.Contains(free) && Enumerable.Range(0, (int)network.NumberOf(free)).All(number => taken.Contains(network.UsableAt((uint)number)));
    });

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("10.0.0.0")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0.0/0")]
    [InlineData("10.0.0.0/31")]
    [InlineData("10.0.0.0/-8")]
    [InlineData("10.0.0.1/8")]
    [InlineData("10.0/16")]
    [InlineData("010.0.0.0/8")]
    [InlineData("10.0.0.0/16/16")]
    [InlineData("fd00::/8")]
    [InlineData(" 10.0.0.0/8")]
    public void What_is_no_network_is_refused(string? text) => Assert.False(Ipv4Network.TryParse(text, out _));

    private static uint Swap(uint value) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);
}
