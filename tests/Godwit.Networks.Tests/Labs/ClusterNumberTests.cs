using System.Net;
using Godwit.Networks.Labs;

namespace Godwit.Networks.Tests.Labs;

public sealed class ClusterNumberTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(0, "192.0.2.1", "fd00::1", "10.65.0.1", "11.77.0.1")]
    [InlineData(1, "10.66.0.1")]
    [InlineData(1, "10.77.0.1")]
    [InlineData(3, "10.66.0.1", "10.78.255.254", "10.66.2.1", "10.66.2.1")]
    public void The_lowest_number_is_taken_whose_lab_and_whose_guests_are_nobodys(int number, params string[] used) =>
        Assert.Equal((byte)number, ClusterNumber.FindFree(used.Select(IPAddress.Parse), _ => true));

    [Fact]
    public void When_all_are_taken_there_is_none() =>
        Assert.Null(ClusterNumber.FindFree(Enumerable.Range(0, ClusterNumber.Count).Select(number => new IPAddress([10, 66, (byte)number, 1])), _ => true));

    [Fact]
    public void A_number_that_another_cluster_has_just_chosen_is_passed_over()
    {
        Assert.Equal((byte)2, ClusterNumber.FindFree([IPAddress.Parse("10.66.0.1")], number => number != 1));
        Assert.Null(ClusterNumber.FindFree([], _ => false));
    }

    [Fact]
    [Trait("Needs", "root")]
    public async Task Clusters_that_start_at_the_same_moment_have_different_numbers()
    {
        Needs.Root();
        var numbers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(ClusterNumber.ChooseFree, TestContext.Current.CancellationToken)));
        Assert.Equal(numbers.Length, numbers.Distinct().Count());
    }

    [Fact]
    public void Guests_of_different_clusters_share_neither_network_nor_identifier()
    {
        var numbers = Enumerable.Range(0, ClusterNumber.Count).Select(number => (byte)number).ToList();
        Assert.Equal("10.77.0.0/16", ClusterNumber.GuestNetwork(0).ToString());
        Assert.Equal(ClusterNumber.Count, numbers.Select(ClusterNumber.GuestNetwork).Distinct().Count());
        Assert.Equal(ClusterNumber.Count, numbers.Select(ClusterNumber.GuestNetworkId).Distinct().Count());
    }
}
