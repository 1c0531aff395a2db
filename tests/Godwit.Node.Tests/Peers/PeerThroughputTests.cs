using System.Diagnostics;
using Godwit.Node.Peers;

namespace Godwit.Node.Tests.Peers;

public sealed class PeerThroughputTests
{
    /// <summary>
    /// The bound is far below what the relay does on an idle machine (the output says how much): the test is to find a
    /// relay that has become slow by its shape, not a machine that is busy.
    /// </summary>
    [Fact]
    public async Task A_stream_of_both_agents_on_one_machine_carries_more_than_a_link_of_one_gigabit()
    {
        const long TotalBytes = 512L * 1024 * 1024;
        await using var pair = new TestPair();
        using var qemu = pair.ListenAsQemu(out var incoming);
        using var prepared = pair.Target.Streams.Prepare(pair.Source.Endpoint.Node, incoming, channelsMax: 1);
        await using var outgoing = PeerStreamTests.Outgoing(pair, prepared);
        using var source = await TestPair.ConnectAsQemuAsync(PeerStreamTests.OutgoingPath(pair), Bound.Token());
        using var target = await qemu.AcceptAsync(Bound.Token());

        var clock = Stopwatch.StartNew();
        var sending = Task.Run(async () =>
        {
            var chunk = new byte[1024 * 1024];
            for (long sent = 0; sent < TotalBytes; sent += chunk.Length)
            {
                await PeerStreamTests.SendAllAsync(source, chunk);
            }
        }, Bound.Token());
        var buffer = new byte[1024 * 1024];
        for (long received = 0; received < TotalBytes;)
        {
            received += await target.ReceiveAsync(buffer, Bound.Token());
        }

        await sending;
        var megabytesPerSecond = TotalBytes / clock.Elapsed.TotalSeconds / 1e6;
        TestContext.Current.TestOutputHelper?.WriteLine($"{megabytesPerSecond:F0} MB/s");
        Assert.True(megabytesPerSecond > 125, $"{megabytesPerSecond:F0} MB/s");
    }
}
