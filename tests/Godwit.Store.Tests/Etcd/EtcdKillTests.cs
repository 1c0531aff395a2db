using System.Diagnostics;
using Godwit.Store.Etcd;

namespace Godwit.Store.Tests.Etcd;

/// <summary><b>Durable</b> and <b>Reliable</b> while members of a real etcd are killed under writers and a watch.</summary>
[Trait("Needs", "etcd")]
public sealed class EtcdKillTests : IDisposable
{
    private const int WritesBetweenKills = 150;

    private readonly TemporaryFolder folder = new();
    private readonly CancellationTokenSource bound = new(TimeSpan.FromMinutes(5));

    [Fact]
    public async Task Whatever_was_acknowledged_before_etcd_is_killed_is_there_and_the_watch_goes_on()
    {
        await using var member = EtcdMemberProcess.Alone(folder.FullPath);
        await RunAsync([member], kills: 4);
    }

    [Fact]
    public async Task A_cluster_that_loses_a_member_at_a_time_goes_on_and_forgets_nothing()
    {
        var members = EtcdMemberProcess.Cluster(folder.FullPath, 3);
        try
        {
            await RunAsync(members, kills: 6);
        }
        finally
        {
            foreach (var member in members)
            {
                await member.DisposeAsync();
            }
        }
    }

    public void Dispose()
    {
        bound.Dispose();
        folder.Dispose();
    }

    private async Task RunAsync(IReadOnlyList<EtcdMemberProcess> members, int kills)
    {
        foreach (var member in members)
        {
            member.Start();
        }

        var address = EtcdAddress.Parse($"etcd://{string.Join(',', members)}");
        await using var store = await EtcdRevisionStore.OpenAsync(new EtcdStoreOptions(address), bound.Token);
        await using var writers = new UnkilledWriters(store, bound.Token);
        var watching = writers.WatchAsync();
        var longest = TimeSpan.Zero;
        for (var kill = 0; kill < kills; kill++)
        {
            await writers.AcknowledgedAsync(writers.Acknowledged + WritesBetweenKills);
            var member = members[kill % members.Count];
            await member.KillAsync();
            if (members.Count == 1)
            {
                member.Start();
            }

            var started = Stopwatch.GetTimestamp();
            await writers.AcknowledgedAsync(writers.Acknowledged + UnkilledWriters.Writers); // It goes on, in a cluster without the killed one.
            var gap = Stopwatch.GetElapsedTime(started);
            longest = gap > longest ? gap : longest;
            if (members.Count > 1)
            {
                member.Start();
            }
        }

        await writers.StopAsync();
        await writers.CheckAsync(await watching);
        TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant(
            $"{members.Count} member(s), {kills} kills: {writers.Acknowledged} writes acknowledged, {writers.Unknown} of unknown end; {UnkilledWriters.Writers} more were acknowledged at most {longest.TotalSeconds:0.00} s after a kill"));
    }
}
