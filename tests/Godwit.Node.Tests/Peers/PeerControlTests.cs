using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using CsCheck;
using Godwit.Node.Peers;

namespace Godwit.Node.Tests.Peers;

public sealed class PeerControlTests
{
    private static readonly PeerMethod<Ping, Pong> Refuse = new("test/refuse", TestJson.Default.Ping, TestJson.Default.Pong);
    private static readonly PeerMethod<Ping, Pong> Break = new("test/break", TestJson.Default.Ping, TestJson.Default.Pong);
    private static readonly PeerMethod<Ping, Pong> Hang = new("test/hang", TestJson.Default.Ping, TestJson.Default.Pong);
    private static readonly PeerMethod<Ping, Pong> AskBack = new("test/ask-back", TestJson.Default.Ping, TestJson.Default.Pong);

    [Fact]
    public async Task A_refusal_arrives_with_its_code_and_words()
    {
        await using var pair = new TestPair(map: methods =>
            methods.Map(Refuse, (_, _, _) => Task.FromException<Pong>(new PeerRefusedException("NotOwner", "node-1 does not own it"))));
        await using var connection = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());

        var refusal = await Assert.ThrowsAsync<PeerRefusedException>(() => connection.RequestAsync(Refuse, new Ping(""), Bound.Token()));

        Assert.Equal("NotOwner", refusal.Code);
        Assert.Equal("node-1 does not own it", refusal.Message);
    }

    [Fact]
    public async Task An_error_in_a_handler_is_an_answer_and_the_connection_stands()
    {
        await using var pair = new TestPair(map: methods => methods.Map(Break, (_, _, _) => throw new InvalidOperationException("broken")));
        await using var connection = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());

        var refusal = await Assert.ThrowsAsync<PeerRefusedException>(() => connection.RequestAsync(Break, new Ping(""), Bound.Token()));

        Assert.Equal(PeerRefusal.Internal, refusal.Code);
        Assert.Equal("x", (await connection.RequestAsync(TestAgent.Echo, new Ping("x"), Bound.Token())).Text);
    }

    [Fact]
    public async Task An_unknown_method_is_refused_by_name()
    {
        await using var pair = new TestPair();
        await using var connection = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());

        var refusal = await Assert.ThrowsAsync<PeerRefusedException>(() => connection.RequestAsync(Refuse, new Ping(""), Bound.Token()));

        Assert.Equal(PeerRefusal.UnknownMethod, refusal.Code);
    }

    [Fact]
    public async Task The_listening_end_can_ask_on_the_same_connection()
    {
        await using var pair = new TestPair(map: methods => methods.Map(
            AskBack,
            async (context, ping, stopping) => await context.Connection.RequestAsync(TestAgent.Echo, new Ping(ping.Text + "!"), stopping)));
        await using var connection = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());

        Assert.Equal(new Pong("a!", "node-2"), await connection.RequestAsync(AskBack, new Ping("a"), Bound.Token()));
    }

    [Fact]
    public async Task Replies_find_their_requests_when_many_run_side_by_side()
    {
        await using var pair = new TestPair();
        await using var connection = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());

        for (var round = 0; round < 20; round++)
        {
            var asked = Enumerable.Range(0, 16).Select(number => $"{round}/{number}").ToArray();
            var replies = await Task.WhenAll(asked.Select(text => connection.RequestAsync(TestAgent.Echo, new Ping(text), Bound.Token())));
            Assert.Equal(asked, replies.Select(reply => reply.Text));
        }
    }

    [Fact]
    public async Task A_request_whose_connection_breaks_fails_and_says_the_outcome_is_unknown()
    {
        var entered = new TaskCompletionSource();
        await using var pair = new TestPair(map: methods => methods.Map(Hang, async (_, _, stopping) =>
        {
            entered.TrySetResult();
            await new TaskCompletionSource().Task.WaitAsync(stopping); // Never answers.
            return new Pong("", "");
        }));
        await using var connection = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());
        var request = connection.RequestAsync(Hang, new Ping(""), Bound.Token());
        await entered.Task.WaitAsync(Bound.Token());

        await pair.Target.Listener.DisposeAsync();

        var error = await Assert.ThrowsAsync<PeerException>(() => request);
        Assert.Contains("unknown", error.Message, StringComparison.Ordinal);
        await connection.Closed.WaitAsync(Bound.Token());
    }

    [Fact]
    public async Task Requests_beyond_the_bound_are_refused_as_busy()
    {
        var release = new TaskCompletionSource();
        await using var pair = new TestPair(new PeerLimits { RequestsMax = 2 }, methods => methods.Map(Hang, async (_, _, stopping) =>
        {
            await release.Task.WaitAsync(stopping);
            return new Pong("done", "");
        }));
        await using var connection = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());
        var hanging = new[] { connection.RequestAsync(Hang, new Ping(""), Bound.Token()), connection.RequestAsync(Hang, new Ping(""), Bound.Token()) };

        var refusal = await Assert.ThrowsAsync<PeerRefusedException>(() => connection.RequestAsync(Hang, new Ping(""), Bound.Token()));

        Assert.Equal(PeerRefusal.Busy, refusal.Code);
        release.SetResult();
        Assert.All(await Task.WhenAll(hanging), pong => Assert.Equal("done", pong.Text));
    }

    [Fact]
    public async Task A_quiet_connection_stays_open_by_pings_and_a_dead_one_closes()
    {
        var limits = new PeerLimits { PingInterval = TimeSpan.FromMilliseconds(100), SilenceMax = TimeSpan.FromMilliseconds(1500) };
        await using var pair = new TestPair(limits);
        await using var quiet = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());

        // A peer that never pings: the same greeting, then silence.
        var mute = await pair.Source.Dialer.OpenRateAsync(pair.Target.Endpoint, Bound.Token());
        await using var dead = new PeerConnection(mute.Stream, pair.Target.Services.Identity.Name, pair.Source.Services with { Limits = limits }, CancellationToken.None);

        await dead.Closed.WaitAsync(Bound.Token());
        Assert.True(quiet.IsOpen);
        Assert.Equal("x", (await quiet.RequestAsync(TestAgent.Echo, new Ping("x"), Bound.Token())).Text);
    }

    [Fact]
    public async Task Links_reconnect_after_the_peer_came_back()
    {
        await using var pair = new TestPair();
        await using var links = new PeerLinks(pair.Source.Dialer);
        Assert.Equal("a", (await links.RequestAsync(pair.Target.Endpoint, TestAgent.Echo, new Ping("a"), Bound.Token())).Text);
        var address = pair.Target.Listener.Address;
        await pair.Target.Listener.DisposeAsync();
        await Assert.ThrowsAsync<PeerException>(() => links.RequestAsync(pair.Target.Endpoint, TestAgent.Echo, new Ping("b"), Bound.Token()));

        await using var again = new PeerListener(address, pair.Target.Services, pair.Target.Streams);

        Assert.Equal("c", (await links.RequestAsync(pair.Target.Endpoint, TestAgent.Echo, new Ping("c"), Bound.Token())).Text);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(65537u)]
    [InlineData(uint.MaxValue)]
    public async Task A_lie_about_a_length_is_refused_before_a_buffer_is_made(uint length)
    {
        var header = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(header, length);

        var error = await Assert.ThrowsAsync<PeerException>(() =>
            PeerFrameCodec.ReadAsync(new MemoryStream(header), PeerJson.Default.PeerFrame, Bound.Token()));

        Assert.Contains($"{length}", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("null")]
    [InlineData("[1]")]
    [InlineData("{\"id\":\"one\"}")]
    [InlineData("{\"kind\":\"teleport\",\"protocol\":1}")]
    public async Task A_frame_that_is_no_message_is_refused(string text)
    {
        var payload = Encoding.UTF8.GetBytes(text);
        var bytes = new byte[4 + payload.Length];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)payload.Length);
        payload.CopyTo(bytes, 4);

        await Assert.ThrowsAsync<PeerException>(async () =>
        {
            await PeerFrameCodec.ReadAsync(new MemoryStream(bytes), PeerJson.Default.PeerFrame, Bound.Token());
            await PeerFrameCodec.ReadAsync(new MemoryStream(bytes), PeerJson.Default.PeerHello, Bound.Token());
        });
    }

    [Fact]
    public void Any_bytes_at_all_give_a_message_an_end_or_a_peer_error() =>
        Gen.Byte.Array[0, 200].Sample(
            bytes =>
            {
                try
                {
                    _ = PeerFrameCodec.ReadAsync(new MemoryStream(bytes), PeerJson.Default.PeerFrame, CancellationToken.None).GetAwaiter().GetResult();
                }
                catch (PeerException)
                {
                    // The one error that it may give.
                }
            },
            iter: 2000);

    [Fact]
    public async Task Garbage_after_the_greeting_closes_that_connection_and_no_other()
    {
        await using var pair = new TestPair();
        await using var good = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());
        using var certificate = pair.Authority.Issue("O=system:nodes, CN=system:node:node-9");
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(pair.Target.Listener.Address, Bound.Token());
        var liar = await PeerSocket.ConnectAsync(
            socket, new PeerIdentity(certificate, pair.Authority.Trust, TimeProvider.System), pair.Target.Services.Identity.Name, Bound.Token());
        await PeerFrameCodec.WriteAsync(liar.Stream, new PeerHello { Protocol = 1, Kind = PeerConnectionKind.Control }, PeerJson.Default.PeerHello, Bound.Token());
        await liar.Stream.WriteAsync(new byte[] { 0xff, 0xff, 0xff, 0xff, 1, 2, 3 }, Bound.Token());
        await liar.Stream.FlushAsync(Bound.Token());

        var buffer = new byte[256];
        try
        {
            while (await liar.Stream.ReadAsync(buffer, Bound.Token()) > 0)
            {
            }
        }
        catch (IOException)
        {
            // Closed hard: as good.
        }

        Assert.Equal("x", (await good.RequestAsync(TestAgent.Echo, new Ping("x"), Bound.Token())).Text);
    }
}
