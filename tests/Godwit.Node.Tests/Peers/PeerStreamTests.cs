using System.Net.Sockets;
using System.Security.Cryptography;
using Godwit.Node.Peers;

namespace Godwit.Node.Tests.Peers;

public sealed class PeerStreamTests
{
    [Fact]
    public async Task Bytes_pass_both_ways_unchanged_and_are_counted_and_each_half_closes_alone()
    {
        await using var pair = new TestPair();
        using var qemu = pair.ListenAsQemu(out var incoming);
        using var prepared = pair.Target.Streams.Prepare(pair.Source.Endpoint.Node, incoming, channelsMax: 1);
        await using var outgoing = Outgoing(pair, prepared);
        using var source = await TestPair.ConnectAsQemuAsync(OutgoingPath(pair), Bound.Token());
        using var target = await qemu.AcceptAsync(Bound.Token());
        var memory = RandomNumberGenerator.GetBytes(5 * 1024 * 1024 + 123);

        var sending = Task.Run(async () =>
        {
            await SendAllAsync(source, memory);
            source.Shutdown(SocketShutdown.Send);
        }, Bound.Token());
        var received = await ReceiveAllAsync(target);
        await sending;

        Assert.Equal(memory, received);
        Assert.Equal(memory.Length, outgoing.Counters.ToPeerBytes);
        Assert.Equal(memory.Length, prepared.Counters.FromPeerBytes);

        // The return path still works after the source has finished.
        await SendAllAsync(target, "pong"u8.ToArray());
        target.Shutdown(SocketShutdown.Send);
        Assert.Equal("pong"u8.ToArray(), await ReceiveAllAsync(source));
    }

    [Fact]
    public async Task Channels_reach_the_target_in_the_order_in_which_they_were_opened()
    {
        await using var pair = new TestPair();
        using var qemu = pair.ListenAsQemu(out var incoming);
        using var prepared = pair.Target.Streams.Prepare(pair.Source.Endpoint.Node, incoming, channelsMax: 4);
        await using var outgoing = Outgoing(pair, prepared);
        for (byte channel = 0; channel < 4; channel++)
        {
            using var source = await TestPair.ConnectAsQemuAsync(OutgoingPath(pair), Bound.Token());
            await SendAllAsync(source, new byte[] { channel });
            source.Shutdown(SocketShutdown.Send);
            using var target = await qemu.AcceptAsync(Bound.Token());
            Assert.Equal([channel], await ReceiveAllAsync(target));
        }
    }

    [Fact]
    public async Task A_token_serves_only_the_node_that_it_was_made_for()
    {
        await using var pair = new TestPair();
        using var qemu = pair.ListenAsQemu(out var incoming);
        using var prepared = pair.Target.Streams.Prepare(NodeName.Parse("node-3"), incoming, channelsMax: 1);

        var refusal = await Assert.ThrowsAsync<PeerRefusedException>(() =>
            pair.Source.Dialer.OpenStreamAsync(pair.Target.Endpoint, prepared.Token, Bound.Token()));

        Assert.Equal(PeerRefusal.UnknownStream, refusal.Code);
    }

    [Fact]
    public async Task A_wrong_a_revoked_and_a_used_up_token_are_refused()
    {
        await using var pair = new TestPair();
        using var qemu = pair.ListenAsQemu(out var incoming);
        using var prepared = pair.Target.Streams.Prepare(pair.Source.Endpoint.Node, incoming, channelsMax: 1);
        await using var only = await pair.Source.Dialer.OpenStreamAsync(pair.Target.Endpoint, prepared.Token, Bound.Token());

        var usedUp = await Assert.ThrowsAsync<PeerRefusedException>(() => pair.Source.Dialer.OpenStreamAsync(pair.Target.Endpoint, prepared.Token, Bound.Token()));
        var wrong = await Assert.ThrowsAsync<PeerRefusedException>(() => pair.Source.Dialer.OpenStreamAsync(pair.Target.Endpoint, "guess", Bound.Token()));
        prepared.Dispose();
        var revoked = await Assert.ThrowsAsync<PeerRefusedException>(() => pair.Source.Dialer.OpenStreamAsync(pair.Target.Endpoint, prepared.Token, Bound.Token()));

        Assert.Equal((PeerRefusal.NotAllowed, PeerRefusal.UnknownStream, PeerRefusal.UnknownStream), (usedUp.Code, wrong.Code, revoked.Code));
    }

    [Fact]
    public async Task A_target_that_does_not_listen_is_said_and_the_source_sees_its_channel_end()
    {
        await using var pair = new TestPair();
        using var prepared = pair.Target.Streams.Prepare(pair.Source.Endpoint.Node, Path.Combine(pair.Folder, "nobody.sock"), channelsMax: 1);
        await using var outgoing = Outgoing(pair, prepared);

        using var source = await TestPair.ConnectAsQemuAsync(OutgoingPath(pair), Bound.Token());

        Assert.IsType<PeerRefusedException>(await outgoing.Failed.WaitAsync(Bound.Token()));
        Assert.Empty(await ReceiveAllAsync(source));
    }

    [Theory]
    [InlineData("source agent")]
    [InlineData("target agent")]
    [InlineData("target QEMU")]
    public async Task When_one_part_goes_the_source_QEMU_learns_at_once_though_it_is_blocked_in_writing(string part)
    {
        await using var pair = new TestPair();
        using var qemu = pair.ListenAsQemu(out var incoming);
        using var prepared = pair.Target.Streams.Prepare(pair.Source.Endpoint.Node, incoming, channelsMax: 1);
        await using var outgoing = Outgoing(pair, prepared);
        using var source = await TestPair.ConnectAsQemuAsync(OutgoingPath(pair), Bound.Token());
        using var target = await qemu.AcceptAsync(Bound.Token());
        var writing = Task.Run(() => SendAllAsync(source, new byte[256 * 1024 * 1024]), Bound.Token()); // The target reads nothing: this blocks.
        while (prepared.Counters.FromPeerBytes == 0)
        {
            await Task.Yield();
        }

        switch (part)
        {
            case "source agent":
                await outgoing.DisposeAsync();
                break;
            case "target agent":
                prepared.Dispose();
                break;
            default:
                target.Dispose();
                break;
        }

        await Assert.ThrowsAsync<SocketException>(() => writing.WaitAsync(Bound.Token()));
    }

    [Fact]
    public async Task A_slow_target_holds_the_source_back_instead_of_filling_memory()
    {
        await using var pair = new TestPair();
        using var qemu = pair.ListenAsQemu(out var incoming);
        using var prepared = pair.Target.Streams.Prepare(pair.Source.Endpoint.Node, incoming, channelsMax: 1);
        await using var outgoing = Outgoing(pair, prepared);
        using var source = await TestPair.ConnectAsQemuAsync(OutgoingPath(pair), Bound.Token());
        using var target = await qemu.AcceptAsync(Bound.Token());

        // Unread, the bytes fill sockets and buffers and then stop: the writer is held back.
        source.SendTimeout = 500;
        long sent = 0;
        Assert.Throws<SocketException>(() =>
        {
            var chunk = new byte[64 * 1024];
            while (sent < 1024L * 1024 * 1024)
            {
                sent += source.Send(chunk);
            }
        });

        Assert.InRange(sent, 1, 128L * 1024 * 1024);
    }

    [Fact]
    public async Task The_link_is_measured_by_a_bounded_burst_and_the_rate_is_kept()
    {
        await using var pair = new TestPair();
        using var rates = new LinkRates(pair.Source.Dialer);

        var sample = await rates.GetAsync(pair.Target.Endpoint, Bound.Token());

        Assert.InRange(sample.Bytes, 1, LinkRate.BurstBytesMax);
        Assert.InRange(sample.BytesPerSecond, 1e6, 1e11);
        Assert.Same(sample, await rates.GetAsync(pair.Target.Endpoint, Bound.Token()));
    }

    [Fact]
    public async Task A_burst_larger_than_allowed_is_cut_off()
    {
        await using var pair = new TestPair();
        await using var socket = await pair.Source.Dialer.OpenRateAsync(pair.Target.Endpoint, Bound.Token());

        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            for (var sent = 0L; sent < 64 * LinkRate.BurstBytesMax; sent += 1024 * 1024)
            {
                await socket.Stream.WriteAsync(new byte[1024 * 1024], Bound.Token());
                await socket.Stream.FlushAsync(Bound.Token());
            }
        });
    }

    internal static string OutgoingPath(TestPair pair) => Path.Combine(pair.Folder, "outgoing.sock");

    internal static OutgoingStream Outgoing(TestPair pair, IncomingStream prepared) =>
        new(pair.Source.Dialer, new StreamTarget(pair.Target.Endpoint, prepared.Token, ChannelsMax: 8), OutgoingPath(pair));

    internal static async Task SendAllAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None, Bound.Token())..];
        }
    }

    internal static async Task<byte[]> ReceiveAllAsync(Socket socket)
    {
        using var all = new MemoryStream();
        var buffer = new byte[256 * 1024];
        while (await socket.ReceiveAsync(buffer, SocketFlags.None, Bound.Token()) is > 0 and var count)
        {
            all.Write(buffer, 0, count);
        }

        return all.ToArray();
    }
}
