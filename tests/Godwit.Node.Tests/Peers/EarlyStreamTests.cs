using System.Net.Sockets;
using System.Security.Cryptography;
using Godwit.Node.Peers;

namespace Godwit.Node.Tests.Peers;

/// <summary>Streams that come before the target's QEMU listens.</summary>
public sealed class EarlyStreamTests
{
    [Fact]
    public async Task What_comes_before_QEMU_listens_is_passed_on_first_and_whole()
    {
        await using var pair = new TestPair();
        var incoming = Path.Combine(pair.Folder, "in.sock");
        using var prepared = pair.Target.Streams.Prepare(pair.Source.Endpoint.Node, incoming, channelsMax: 1, listens: false);
        await using var outgoing = PeerStreamTests.Outgoing(pair, prepared);
        using var source = await TestPair.ConnectAsQemuAsync(PeerStreamTests.OutgoingPath(pair), Bound.Token());
        var memory = RandomNumberGenerator.GetBytes(40 * 1024 * 1024 + 7);
        var sending = Task.Run(async () =>
        {
            await PeerStreamTests.SendAllAsync(source, memory);
            source.Shutdown(SocketShutdown.Send);
        }, Bound.Token());
        while (prepared.Counters.FromPeerBytes < memory.Length / 2)
        {
            await Task.Yield(); // Kept: nobody listens.
        }

        using var qemu = TestPair.ListenAt(incoming);
        prepared.QemuListens();
        using var target = await qemu.AcceptAsync(Bound.Token());
        var received = await PeerStreamTests.ReceiveAllAsync(target);
        await sending;
        await PeerStreamTests.SendAllAsync(target, "pong"u8.ToArray());
        target.Shutdown(SocketShutdown.Send);

        Assert.Equal(memory, received);
        Assert.Equal("pong"u8.ToArray(), await PeerStreamTests.ReceiveAllAsync(source));
        Assert.Equal(memory.Length, prepared.Counters.FromPeerBytes);
    }

    [Fact]
    public async Task Channels_that_came_early_reach_QEMU_in_their_order()
    {
        await using var pair = new TestPair();
        var incoming = Path.Combine(pair.Folder, "in.sock");
        using var prepared = pair.Target.Streams.Prepare(pair.Source.Endpoint.Node, incoming, channelsMax: 3, listens: false);
        await using var outgoing = PeerStreamTests.Outgoing(pair, prepared);
        var sources = new List<Socket>();
        for (byte channel = 0; channel < 3; channel++)
        {
            sources.Add(await TestPair.ConnectAsQemuAsync(PeerStreamTests.OutgoingPath(pair), Bound.Token()));
            await PeerStreamTests.SendAllAsync(sources[channel], new[] { channel });
            sources[channel].Shutdown(SocketShutdown.Send);
            while (prepared.Counters.FromPeerBytes <= channel)
            {
                await Task.Yield();
            }
        }

        using var qemu = TestPair.ListenAt(incoming);
        prepared.QemuListens();
        for (byte channel = 0; channel < 3; channel++)
        {
            using var target = await qemu.AcceptAsync(Bound.Token());
            Assert.Equal([channel], await PeerStreamTests.ReceiveAllAsync(target));
        }

        sources.ForEach(source => source.Dispose());
    }

    [Fact]
    public async Task A_stream_that_is_given_up_before_QEMU_listens_ends_at_the_source()
    {
        await using var pair = new TestPair();
        using var prepared = pair.Target.Streams.Prepare(pair.Source.Endpoint.Node, Path.Combine(pair.Folder, "in.sock"), channelsMax: 1, listens: false);
        await using var outgoing = PeerStreamTests.Outgoing(pair, prepared);
        using var source = await TestPair.ConnectAsQemuAsync(PeerStreamTests.OutgoingPath(pair), Bound.Token());
        var writing = Task.Run(() => PeerStreamTests.SendAllAsync(source, new byte[512 * 1024 * 1024]), Bound.Token()); // More than is kept: this blocks.
        while (prepared.Counters.FromPeerBytes == 0)
        {
            await Task.Yield();
        }

        prepared.Dispose();

        await Assert.ThrowsAsync<SocketException>(() => writing.WaitAsync(Bound.Token()));
    }

    [Fact]
    public void What_is_kept_is_bounded_given_back_and_never_overtaken()
    {
        var room = new EarlyRoom();
        var chunk = new byte[8 << 20];
        using var early = new EarlyBytes(room);
        for (long bytes = 0; bytes < EarlyRoom.BytesMax; bytes += chunk.Length)
        {
            Assert.True(early.TryKeep(chunk));
        }

        Assert.Equal(EarlyRoom.BytesMax, room.TakenBytes);
        Assert.False(room.TryTake(1));
        while (early.Take() is { } oldest)
        {
            early.Return(oldest);
        }

        Assert.Equal(0, room.TakenBytes);
        Assert.False(early.TryKeep(chunk)); // All was taken: from here on it is passed on.
    }

    [Fact]
    public async Task QEMU_has_caught_up_when_it_has_taken_all_that_came_before_it_listened()
    {
        await using var pair = new TestPair();
        var incoming = Path.Combine(pair.Folder, "in.sock");
        using var prepared = pair.Target.Streams.Prepare(pair.Source.Endpoint.Node, incoming, channelsMax: 1, listens: false);
        await using var outgoing = PeerStreamTests.Outgoing(pair, prepared);
        using var source = await TestPair.ConnectAsQemuAsync(PeerStreamTests.OutgoingPath(pair), Bound.Token());
        var memory = RandomNumberGenerator.GetBytes(20 * 1024 * 1024);
        await PeerStreamTests.SendAllAsync(source, memory);
        source.Shutdown(SocketShutdown.Send);
        while (prepared.Counters.FromPeerBytes < memory.Length)
        {
            await Task.Yield();
        }

        using var qemu = TestPair.ListenAt(incoming);
        prepared.QemuListens();
        using var target = await qemu.AcceptAsync(Bound.Token());
        Assert.False(prepared.CaughtUp.IsCompleted); // It has read nothing yet, and its socket does not hold so much.

        Assert.Equal(memory, await PeerStreamTests.ReceiveAllAsync(target));
        await prepared.CaughtUp.WaitAsync(Bound.Token());
    }

    [Fact]
    public void A_stream_that_nothing_came_of_has_caught_up_when_QEMU_listens()
    {
        using var stream = new IncomingStreams(TimeProvider.System).Prepare(NodeName.Parse("node-1"), "/nonexistent", channelsMax: 1, listens: false);
        Assert.False(stream.CaughtUp.IsCompleted);
        stream.QemuListens();
        Assert.True(stream.CaughtUp.IsCompleted);
    }

    [Fact]
    public void While_it_is_passed_on_nothing_more_is_kept()
    {
        using var early = new EarlyBytes(new EarlyRoom());
        Assert.True(early.TryKeep(new byte[10]));
        Assert.True(early.TryKeep(new byte[10]));
        early.Return(early.Take()!.Value);
        bool? isKept = null;
        var thread = new Thread(() => isKept = early.TryKeep(new byte[10]));
        thread.Start();
        while (thread.ThreadState is not (ThreadState.WaitSleepJoin or ThreadState.Stopped))
        {
            Thread.Yield();
        }

        early.Return(early.Take()!.Value);
        Assert.Null(early.Take()); // What was kept in the meantime would be here.
        thread.Join();
        Assert.False(isKept);
    }

    [Fact]
    public async Task Who_waits_for_room_goes_on_when_all_was_passed_on_or_the_stream_breaks()
    {
        var room = new EarlyRoom();
        var whole = new byte[EarlyRoom.BytesMax];
        using var first = new EarlyBytes(room);
        Assert.True(first.TryKeep(whole));
        var waiting = Task.Run(() => first.TryKeep(new byte[1]), Bound.Token());
        first.Return(first.Take()!.Value);
        Assert.Null(first.Take());
        Assert.False(await waiting.WaitAsync(Bound.Token()));

        Assert.True(room.TryTake(1));
        using var second = new EarlyBytes(room);
        var broken = Task.Run(() => second.TryKeep(whole), Bound.Token()); // One byte is taken, so this waits for good.
        second.Dispose();
        await Assert.ThrowsAsync<OperationCanceledException>(() => broken.WaitAsync(Bound.Token()));
    }
}
