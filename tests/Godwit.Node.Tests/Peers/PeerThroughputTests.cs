using System.Diagnostics;
using Godwit.Node.Peers;

namespace Godwit.Node.Tests.Peers;

public sealed class PeerThroughputTests
{
    /// <summary>How fast it was is told, not judged: a busy machine is no defect. That every byte arrives is judged.</summary>
    [Fact]
    public async Task A_stream_through_both_agents_carries_half_a_gibibyte_whole()
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
        long received = 0;
        while (received < TotalBytes && await target.ReceiveAsync(buffer, Bound.Token()) is > 0 and var count)
        {
            received += count;
        }

        await sending;
        var megabytesPerSecond = TotalBytes / clock.Elapsed.TotalSeconds / 1e6;
        TestContext.Current.TestOutputHelper?.WriteLine($"{megabytesPerSecond:F0} MB/s");
        Assert.Equal(TotalBytes, received);
    }
}
