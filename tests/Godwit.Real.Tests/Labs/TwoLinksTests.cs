using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>Two nodes that are joined by a second link: a stream that breaks with the first goes on over the other.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class TwoLinksTests(GodwitLab lab)
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task A_post_copy_stream_that_breaks_with_its_link_is_opened_anew_over_the_other()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "two-links", "tiny.rate=-1 tiny.set=64M tiny.ballast=8M");
        await using var link = await SecondLink.MakeAsync(lab);
        await using var agents = new OwnAgents(lab);
        foreach (var node in GodwitLab.Nodes)
        {
            await agents.RestartAsync(node, ["--peer-listen", "0.0.0.0:10260", "--peer-address", SecondLink.AddressOf(node)]);
            await Eventually.IsTrueAsync($"{node} says both of its addresses", Bound, async () =>
                (await lab.FindAsync("node", node))!["metadata"]!["annotations"]!["godwit.dev/peer-endpoint"]!.GetValue<string>().EndsWith($",{SecondLink.AddressOf(node)}:10260", StringComparison.Ordinal));
        }

        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "postcopy", bandwidth: "8M");
        await move.TargetEntersAsync("Running");

        await lab.SetLinkAsync(move.Source, up: false);
        try
        {
            await move.SourceEntersAsync("Completed"); // With its first link still dark: all of the memory came by the second.
        }
        finally
        {
            await lab.SetLinkAsync(move.Source, up: true);
        }

        Assert.Equal(MigrationPhases.Succeeded, (await move.EndsAsync())!.Phase);
        await guest.MustBeWholeAsync(move.Target, counter);
        witness.MustHaveSeenOneAtATime();
    }

    /// <summary>A cable between the lab's two nodes.</summary>
    private sealed class SecondLink(GodwitLab lab) : IAsyncDisposable
    {
        public static string AddressOf(string node) => $"198.51.100.{node[^1]}";

        public static async Task<SecondLink> MakeAsync(GodwitLab lab)
        {
            var (first, second) = (lab.NamespaceOf(GodwitLab.Nodes[0]), lab.NamespaceOf(GodwitLab.Nodes[1]));
            await IpAsync("link", "add", "second", "netns", first, "type", "veth", "peer", "name", "second", "netns", second);
            foreach (var node in GodwitLab.Nodes)
            {
                await IpAsync("-n", lab.NamespaceOf(node), "address", "add", $"{AddressOf(node)}/24", "dev", "second");
                await IpAsync("-n", lab.NamespaceOf(node), "link", "set", "second", "up");
            }

            return new SecondLink(lab);
        }

        public async ValueTask DisposeAsync() => await IpAsync("-n", lab.NamespaceOf(GodwitLab.Nodes[0]), "link", "delete", "second");

        private static async Task IpAsync(params string[] arguments) => (await Command.RunAsync("ip", arguments, Bound)).MustSucceed();
    }
}
