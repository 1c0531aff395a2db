using Godwit.Api;
using Godwit.Api.Coordination.V1;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Client.Tests;

public sealed class LeaderElectionTests
{
    private static readonly ResourceKey Key = new("kube-system", "leader");

    private readonly FakeTimeProvider clock = new();

    [Fact]
    public async Task One_leads_and_the_other_waits_until_the_first_stops()
    {
        await using var server = await LeaseServer.StartAsync();
        await using var first = new Candidate(server, clock, "first");
        await UntilAsync(server, () => first.IsLeading, "the first leads");
        await using var second = new Candidate(server, clock, "second");
        await UntilAsync(server, () => server.Reads > 10, "the second has looked several times");
        Assert.False(second.IsLeading);

        await first.StopAsync();

        await UntilAsync(server, () => second.IsLeading, "the second leads");
        Assert.False(first.IsLeading);
        Assert.Equal(1, server.Lease!.Spec.LeaseTransitions);
    }

    [Fact]
    public async Task A_leader_that_cannot_renew_stops_before_another_may_start()
    {
        await using var server = await LeaseServer.StartAsync();
        await using var first = new Candidate(server, clock, "first");
        await UntilAsync(server, () => first.IsLeading, "the first leads");
        var since = clock.GetUtcNow();

        server.IsBroken = true;
        await UntilAsync(server, () => !first.IsLeading, "the first has stopped");

        Assert.InRange(clock.GetUtcNow() - since, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(14.9));
    }

    [Fact]
    public async Task A_lease_that_stands_still_is_taken_over_after_its_duration_by_our_own_clock()
    {
        await using var server = await LeaseServer.StartAsync();
        server.Put(new Lease
        {
            Metadata = new() { Namespace = Key.Namespace, Name = Key.Name },
            // Its times are of another host's clock, years ahead: they must not matter.
            Spec = new LeaseSpec { HolderIdentity = "dead", LeaseDurationSeconds = 15, RenewTime = clock.GetUtcNow().AddYears(5) },
        });
        var since = clock.GetUtcNow();
        await using var candidate = new Candidate(server, clock, "heir");

        await UntilAsync(server, () => candidate.IsLeading, "the heir leads");

        Assert.True(clock.GetUtcNow() - since >= TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task A_leader_whose_lease_another_took_stops_at_its_next_renewal()
    {
        await using var server = await LeaseServer.StartAsync();
        await using var first = new Candidate(server, clock, "first");
        await UntilAsync(server, () => first.IsLeading, "the first leads");

        server.Put(server.Lease! with { Spec = server.Lease!.Spec with { HolderIdentity = "usurper" } });

        await UntilAsync(server, () => !first.IsLeading, "the first has stopped");
        Assert.Equal("usurper", server.Lease!.Spec.HolderIdentity);
    }

    [Fact]
    public async Task A_lost_answer_to_a_renewal_does_not_end_leadership()
    {
        await using var server = await LeaseServer.StartAsync();
        await using var first = new Candidate(server, clock, "first");
        await UntilAsync(server, () => first.IsLeading, "the first leads");

        server.LosesNextAnswer = true;
        var renewals = server.Writes;
        await UntilAsync(server, () => server.Writes > renewals + 3, "it has renewed several times more");

        Assert.Equal(1, first.Terms);
        Assert.True(first.IsLeading);
    }

    /// <summary>Turns the clock on while it waits; but not while a request is under way, which takes a time that is not the clock's.</summary>
    private Task UntilAsync(LeaseServer server, Func<bool> condition, string what) => Eventually.HoldsAsync(
        () =>
        {
            if (!server.IsAnswering)
            {
                clock.Advance(TimeSpan.FromMilliseconds(40));
            }

            return condition();
        },
        what);

    private sealed class Candidate : IAsyncDisposable
    {
        private readonly CancellationTokenSource ending = new();
        private readonly ClusterClient client;
        private readonly Task running;
        private volatile bool isLeading;
        private int terms;

        public Candidate(LeaseServer server, TimeProvider clock, string name)
        {
            client = server.Connect();
            var options = new LeaderElectionOptions(Key, name);
            running = new LeaderElection(client.For<Lease>(), options, clock, NullLogger.Instance).RunAsync(LeadAsync, ending.Token);
        }

        public bool IsLeading => isLeading;

        public int Terms => Volatile.Read(ref terms);

        public async Task StopAsync()
        {
            await ending.CancelAsync();
            await running;
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            client.Dispose();
            ending.Dispose();
        }

        private async Task LeadAsync(CancellationToken stopping)
        {
            Interlocked.Increment(ref terms);
            isLeading = true;
            var stopped = new TaskCompletionSource();
            await using var registration = stopping.Register(stopped.SetResult);
            await stopped.Task;
            isLeading = false;
        }
    }

    /// <summary>Holds one Lease by compare-and-swap, as an API server does.</summary>
    private sealed class LeaseServer : IAsyncDisposable
    {
        private readonly Lock gate = new();
        private ScriptedServer server = null!;
        private int revision = 1;
        private int requestsUnderWay;

        public bool IsAnswering => Volatile.Read(ref requestsUnderWay) > 0;

        public Lease? Lease { get; private set; }

        public int Reads { get; private set; }

        public int Writes { get; private set; }

        public bool IsBroken { get; set; }

        public bool LosesNextAnswer { get; set; }

        public static async Task<LeaseServer> StartAsync()
        {
            var self = new LeaseServer();
            self.server = await ScriptedServer.StartAsync(self.AnswerAsync);
            return self;
        }

        public ClusterClient Connect() => server.Connect();

        public void Put(Lease lease)
        {
            lock (gate)
            {
                Lease = lease with { Metadata = lease.Metadata with { ResourceVersion = $"{++revision}" } };
            }
        }

        public ValueTask DisposeAsync() => server.DisposeAsync();

        private async Task AnswerAsync(HttpContext context)
        {
            Interlocked.Increment(ref requestsUnderWay);
            try
            {
                await AnswerNowAsync(context);
            }
            finally
            {
                Interlocked.Decrement(ref requestsUnderWay);
            }
        }

        private async Task AnswerNowAsync(HttpContext context)
        {
            if (IsBroken)
            {
                await Answer.StatusAsync(context, 500, "InternalError", "broken");
                return;
            }

            var body = context.Request.Method == "GET" ? null : await new StreamReader(context.Request.Body).ReadToEndAsync(context.RequestAborted);
            var (code, answer) = Handle(body);
            if (body is not null && LosesNextAnswer)
            {
                LosesNextAnswer = false;
                context.Abort();
                return;
            }

            await (answer is null ? Answer.StatusAsync(context, code, code == 404 ? "NotFound" : "Conflict", "no") : Answer.JsonAsync(context, answer, code));
        }

        private (int Code, string? Body) Handle(string? body)
        {
            lock (gate)
            {
                if (body is null)
                {
                    Reads++;
                    return Lease is null ? (404, null) : (200, GodwitJson.Serialize(Lease));
                }

                var sent = GodwitJson.Deserialize<Lease>(body);
                if ((Lease?.Metadata.ResourceVersion ?? "") != sent.Metadata.ResourceVersion)
                {
                    return (409, null);
                }

                Writes++;
                Lease = sent with { Metadata = sent.Metadata with { ResourceVersion = $"{++revision}" } };
                return (200, GodwitJson.Serialize(Lease));
            }
        }
    }
}
