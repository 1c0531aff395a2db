using Microsoft.Extensions.Time.Testing;

namespace Godwit.Qmp.Tests;

public sealed class QmpConnectionTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Greeting_is_read_and_out_of_band_is_enabled()
    {
        await using var peer = new ScriptedPeer();
        var opening = QmpConnection.OpenAsync(peer.ClientStream, new QmpOptions(), TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, Stopping);
        await peer.SayAsync(ScriptedPeer.Greeting);
        var request = await peer.HearAsync();
        await peer.SayAsync($$"""{"return": {}, "id": {{request.Id}}}""");
        await using var connection = await opening;

        Assert.Equal("qmp_capabilities", request.Command);
        Assert.Contains("""{"enable":["oob"]}""", request.Line, StringComparison.Ordinal);
        Assert.Equal(new Version(10, 0, 2), connection.Greeting.Version);
    }

    [Fact]
    public async Task Replies_find_their_callers_in_any_order()
    {
        await using var peer = new ScriptedPeer();
        await using var connection = await peer.ConnectAsync();
        var first = connection.ExecuteAsync(QmpCommands.QueryStatus, Stopping);
        var firstRequest = await peer.HearAsync();
        var second = connection.ExecuteAsync(QmpCommands.YankMigration, Stopping);
        var secondRequest = await peer.HearAsync();

        await peer.SayAsync($$"""{"return": {}, "id": {{secondRequest.Id}}}""");
        await second;
        Assert.True(secondRequest.OutOfBand);
        Assert.False(first.IsCompleted);

        await peer.SayAsync($$"""{"return": {"status": "prelaunch", "running": false}, "id": {{firstRequest.Id}}}""");
        Assert.Equal(new QmpStatus { Status = "prelaunch", Running = false }, await first);
    }

    [Fact]
    public async Task Refusal_carries_QEMUs_own_words()
    {
        await using var peer = new ScriptedPeer();
        await using var connection = await peer.ConnectAsync();
        var call = connection.ExecuteAsync(QmpCommands.Continue, Stopping);
        var request = await peer.HearAsync();
        await peer.SayAsync($$$"""{"id": {{{request.Id}}}, "error": {"class": "GenericError", "desc": "not finalized"}}""");

        var refusal = await Assert.ThrowsAsync<QmpCommandException>(() => call);
        Assert.Equal(("cont", "GenericError", "not finalized"), (refusal.Command, refusal.ErrorClass, refusal.Description));
    }

    [Fact]
    public async Task Silent_peer_times_out_and_its_late_reply_is_dropped()
    {
        var clock = new FakeTimeProvider();
        await using var peer = new ScriptedPeer();
        await using var connection = await peer.ConnectAsync(clock: clock);
        var call = connection.ExecuteAsync(QmpCommands.QueryStatus with { Bound = TimeSpan.FromSeconds(3) }, Stopping);
        var request = await peer.HearAsync();
        clock.Advance(TimeSpan.FromSeconds(4));
        await Assert.ThrowsAsync<QmpTimeoutException>(() => call);

        await peer.SayAsync($$"""{"return": {"status": "running", "running": true}, "id": {{request.Id}}}""");
        var next = connection.ExecuteAsync(QmpCommands.QueryStatus, Stopping);
        var nextRequest = await peer.HearAsync();
        await peer.SayAsync($$"""{"return": {"status": "paused", "running": false}, "id": {{nextRequest.Id}}}""");
        Assert.Equal("paused", (await next).Status);
    }

    [Fact]
    public async Task Hung_main_loop_leaves_the_out_of_band_lane_free()
    {
        var clock = new FakeTimeProvider();
        await using var peer = new ScriptedPeer();
        await using var connection = await peer.ConnectAsync(clock: clock);
        var stuck = new List<Task>();
        for (var i = 0; i < QmpConnection.InBandMax; i++)
        {
            stuck.Add(connection.ExecuteAsync(QmpCommands.QueryMigrate, Stopping));
            await peer.HearAsync();
        }

        var refused = connection.ExecuteAsync(QmpCommands.QueryMigrate, Stopping);
        var yank = connection.ExecuteAsync(QmpCommands.YankMigration, Stopping);
        var request = await peer.HearAsync();
        Assert.Equal("yank", request.Command);
        await peer.SayAsync($$"""{"return": {}, "id": {{request.Id}}}""");
        await yank;

        clock.Advance(TimeSpan.FromSeconds(11));
        var error = await Assert.ThrowsAsync<QmpTimeoutException>(() => refused);
        Assert.Contains("never sent", error.Message, StringComparison.Ordinal);
        foreach (var each in stuck)
        {
            await Assert.ThrowsAsync<QmpTimeoutException>(() => each);
        }
    }

    [Fact]
    public async Task Events_keep_their_order_and_tell_how_many_were_lost()
    {
        await using var peer = new ScriptedPeer();
        await using var connection = await peer.ConnectAsync(new QmpOptions { EventsMax = 2 });
        for (var i = 0; i < 5; i++)
        {
            await peer.SayAsync($$$"""{"event": "MIGRATION_PASS", "data": {"pass": {{{i}}}}, "timestamp": {"seconds": 1700000000, "microseconds": 250000}}""");
        }

        await peer.HangUpAsync();
        await connection.Completion;
        var seen = new List<QmpEvent>();
        await foreach (var each in connection.ReadEventsAsync(Stopping))
        {
            seen.Add(each);
        }

        Assert.Equal([3L, 4L], seen.Select(each => each.Number("pass")!.Value));
        Assert.Equal([3, 0], seen.Select(each => each.LostBefore));
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1700000000250), seen[0].At);
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"return": {}}""")]
    [InlineData("""{"return": {}, "id": "x"}""")]
    [InlineData("""{"return": {}, "id": 4711}""")]
    [InlineData("""{"error": {"class": "GenericError"}, "id": 2}""")]
    [InlineData("""{"error": {"class": "GenericError", "desc": "JSON parse error"}}""")]
    [InlineData("""{"event": 1}""")]
    [InlineData("""{"event": "STOP", "timestamp": {"seconds": "now"}}""")]
    [InlineData("""{"return": {}, "return": {}, "id": 2}""")]
    [InlineData(ScriptedPeer.Greeting)]
    public async Task Line_that_no_QEMU_sends_ends_the_session_with_a_protocol_error(string line)
    {
        await using var peer = new ScriptedPeer();
        await using var connection = await peer.ConnectAsync();
        var call = connection.ExecuteAsync(QmpCommands.QueryStatus, Stopping);
        await peer.HearAsync();
        await peer.SayAsync(line);

        await Assert.ThrowsAsync<QmpProtocolException>(() => call);
        Assert.IsType<QmpProtocolException>(await connection.Completion);
        await Assert.ThrowsAsync<QmpProtocolException>(() => connection.ExecuteAsync(QmpCommands.QueryStatus, Stopping));
    }

    [Fact]
    public async Task Second_reply_to_one_command_is_a_lie()
    {
        await using var peer = new ScriptedPeer();
        await using var connection = await peer.ConnectAsync();
        var call = connection.ExecuteAsync(QmpCommands.Stop, Stopping);
        var request = await peer.HearAsync();
        await peer.SayAsync($$"""{"return": {}, "id": {{request.Id}}}""");
        await call;
        await peer.SayAsync($$"""{"return": {}, "id": {{request.Id}}}""");
        Assert.IsType<QmpProtocolException>(await connection.Completion);
    }

    [Fact]
    public async Task Reply_of_the_wrong_form_fails_its_caller_alone()
    {
        await using var peer = new ScriptedPeer();
        await using var connection = await peer.ConnectAsync();
        var call = connection.ExecuteAsync(QmpCommands.QueryStatus, Stopping);
        var request = await peer.HearAsync();
        await peer.SayAsync($$"""{"return": ["running"], "id": {{request.Id}}}""");
        await Assert.ThrowsAsync<QmpProtocolException>(() => call);
        Assert.False(connection.Completion.IsCompleted);
    }

    [Fact]
    public async Task Endless_line_is_cut_off_at_the_bound()
    {
        await using var peer = new ScriptedPeer();
        await using var connection = await peer.ConnectAsync(new QmpOptions { LineBytesMax = 64 << 10 });
        var flood = Task.Run(async () =>
        {
            var piece = new byte[8 << 10];
            Array.Fill(piece, (byte)' ');
            while (!connection.Completion.IsCompleted)
            {
                await peer.SayBytesAsync(piece);
            }
        }, Stopping);

        Assert.IsType<QmpProtocolException>(await connection.Completion.WaitAsync(TimeSpan.FromMinutes(2), Stopping));
        await connection.DisposeAsync();
        await flood.WaitAsync(TimeSpan.FromMinutes(2), Stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    [Fact]
    public async Task Deep_nesting_is_refused()
    {
        await using var peer = new ScriptedPeer();
        await using var connection = await peer.ConnectAsync();
        await peer.SayAsync("""{"event":"X","data":""" + new string('[', 5000) + new string(']', 5000) + "}");
        Assert.IsType<QmpProtocolException>(await connection.Completion);
    }

    [Fact]
    public async Task Peer_that_closes_in_the_middle_of_a_line_is_told_apart_from_one_that_exits()
    {
        await using var torn = new ScriptedPeer();
        await using var tornConnection = await torn.ConnectAsync();
        await torn.SayBytesAsync("{\"return\": {"u8.ToArray());
        await torn.HangUpAsync();
        Assert.IsType<QmpProtocolException>(await tornConnection.Completion);

        await using var exited = new ScriptedPeer();
        await using var exitedConnection = await exited.ConnectAsync();
        var call = exitedConnection.ExecuteAsync(QmpCommands.Quit, Stopping);
        await exited.HearAsync();
        await exited.HangUpAsync();
        await Assert.ThrowsAsync<QmpClosedException>(() => call);
    }

    [Fact]
    public async Task Peer_that_never_greets_is_given_up_and_the_stream_closed()
    {
        var clock = new FakeTimeProvider();
        await using var peer = new ScriptedPeer();
        var opening = QmpConnection.OpenAsync(peer.ClientStream, new QmpOptions(), clock, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, Stopping);
        while (!opening.IsCompleted)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await Assert.ThrowsAsync<QmpTimeoutException>(() => opening);
        await Assert.ThrowsAnyAsync<Exception>(() => peer.HearAsync());
    }

    [Fact]
    public async Task Cancelled_caller_leaves_the_session_whole()
    {
        await using var peer = new ScriptedPeer();
        await using var connection = await peer.ConnectAsync();
        using var cancel = new CancellationTokenSource();
        var call = connection.ExecuteAsync(QmpCommands.QueryStatus, cancel.Token);
        await peer.HearAsync();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);

        var next = connection.ExecuteAsync(QmpCommands.Stop, Stopping);
        var request = await peer.HearAsync();
        await peer.SayAsync($$"""{"return": {}, "id": {{request.Id}}}""");
        await next;
    }
}
