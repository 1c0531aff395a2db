using Microsoft.Extensions.Time.Testing;

namespace Godwit.Qmp.Tests;

/// <summary>A monitor that many have used before: what they left there must not matter.</summary>
public sealed class QmpExchangeTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Answer_is_found_behind_whatever_the_dead_left()
    {
        await using var peer = new ScriptedPeer();
        var exchange = QmpExchange.ExecuteAsync(peer.ClientStream, QmpCommands.YankMigration, TimeProvider.System, Stopping);
        var request = await HearAsync(peer);
        await peer.SayAsync(ScriptedPeer.Greeting);
        await peer.SayAsync("""{"return": {}, "id": 7}""");
        await peer.SayAsync("""{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 0}}""");
        await peer.SayAsync("""half of a li{"return":""");
        await peer.SayAsync(new string('x', 3 << 20));
        Assert.True(request.OutOfBand);
        await peer.SayAsync($$"""{"return": {}, "id": {{request.Id}}}""");
        await exchange;
    }

    [Fact]
    public async Task Refusal_of_this_exchange_is_told_and_that_of_another_is_not()
    {
        await using var peer = new ScriptedPeer();
        var exchange = QmpExchange.ExecuteAsync(peer.ClientStream, QmpCommands.YankMigration, TimeProvider.System, Stopping);
        var request = await HearAsync(peer);
        await peer.SayAsync("""{"error": {"class": "GenericError", "desc": "another's"}, "id": 0}""");
        await peer.SayAsync($$$"""{"error": {"class": "GenericError", "desc": "mine"}, "id": {{{request.Id}}}}""");
        Assert.Equal("mine", (await Assert.ThrowsAsync<QmpCommandException>(() => exchange)).Description);
    }

    [Fact]
    public async Task Fresh_monitor_is_given_its_capabilities_once()
    {
        await using var peer = new ScriptedPeer();
        var preparing = QmpExchange.PrepareAsync(peer.ClientStream, TimeProvider.System, Stopping);
        var probe = await HearAsync(peer);
        await peer.SayAsync($$$"""{"error": {"class": "GenericError", "desc": "QMP input member 'exec-oob' is unexpected"}, "id": {{{probe.Id}}}}""");
        var choice = await HearAsync(peer);
        Assert.Equal("qmp_capabilities", choice.Command);
        await peer.SayAsync($$"""{"return": {}, "id": {{choice.Id}}}""");
        await preparing;

        var again = QmpExchange.PrepareAsync(peer.ClientStream, TimeProvider.System, Stopping);
        var second = await HearAsync(peer);
        Assert.Equal(("query-yank", true), (second.Command, second.OutOfBand));
        await peer.SayAsync($$"""{"return": [], "id": {{second.Id}}}""");
        await again;
    }

    [Fact]
    public async Task Silence_is_bounded()
    {
        var clock = new FakeTimeProvider();
        await using var peer = new ScriptedPeer();
        var exchange = QmpExchange.ExecuteAsync(peer.ClientStream, QmpCommands.YankMigration, clock, Stopping);
        await HearAsync(peer);
        clock.Advance(TimeSpan.FromSeconds(11));
        await Assert.ThrowsAsync<QmpTimeoutException>(() => exchange);
    }

    private static async Task<ScriptedPeer.Request> HearAsync(ScriptedPeer peer)
    {
        Assert.Equal("", await peer.HearLineAsync());
        return await peer.HearAsync();
    }
}
