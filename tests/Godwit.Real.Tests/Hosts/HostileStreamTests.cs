using System.Net.Sockets;
using Godwit.Machines;
using Godwit.Real.Tests.Machines;

namespace Godwit.Real.Tests.Hosts;

/// <summary>A migration stream that is not one, against a real QEMU that waits for a guest: it may end, it may never run.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
public sealed class HostileStreamTests
{
    /// <summary>QEMU's stream begins with its magic number and version (migration/migration.h: QEM_VM_FILE_MAGIC, QEM_VM_FILE_VERSION).</summary>
    private static readonly byte[] Beginning = [.. "QEVM"u8, 0, 0, 0, 3];

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, 0)]
    [InlineData(false, 1)]
    [InlineData(false, 1 << 20)]
    [InlineData(true, 0)]
    [InlineData(true, 1 << 20)]
    public async Task A_target_that_is_fed_garbage_or_cut_off_never_runs_and_says_that_it_failed(bool beginsWell, int garbageBytes)
    {
        await using var lab = await MachineLab.CreateAsync();
        var target = await lab.Host.CreateAsync(lab.Spec(), MachineStart.Incoming, Stopping);
        await target.Migration.ConfigureAsync(new MigrationSettings { DowntimeLimitMs = 100 }, Stopping);
        var path = target.Place.MigrationSocket("hostile");
        await target.Migration.StartIncomingAsync($"unix:{path}", Stopping);

        var garbage = new byte[garbageBytes];
        new Random(garbageBytes).NextBytes(garbage);
        await FeedAsync(path, [.. beginsWell ? Beginning : [], .. garbage]);

        await Until.TrueAsync(() => Ran(target) || target.RunState is MachineRunState.Gone or MachineRunState.Crashed || target.Migration.LastStatus == "failed", "the target gives the stream up");
        Assert.False(Ran(target), $"The target is {target.RunState}.");

        // Nor when it is told to: QEMU alone would say yes to that.
        await Assert.ThrowsAsync<MachineException>(() => target.ResumeAsync(Stopping));

        // QEMU's own word, not what we remember of it.
        Assert.Contains(await target.QueryRunStateAsync(Stopping), new[] { MachineRunState.Incoming, MachineRunState.Gone, MachineRunState.Crashed });
    }

    [Fact]
    public async Task A_target_whose_stream_lies_about_lengths_offsets_or_names_gives_it_up_and_never_runs()
    {
        await using var lab = await MachineLab.CreateAsync();
        var spec = lab.Spec();
        var source = await lab.BootAsync(spec);
        await source.Migration.ConfigureAsync(new MigrationSettings { DowntimeLimitMs = 100 }, Stopping);
        var captured = await CapturedStream.TakeAsync(source);
        foreach (var lie in Enum.GetValues<Lie>())
        {
            await using var there = await MachineLab.CreateAsync();
            var target = await there.Host.CreateAsync(spec, MachineStart.Incoming, Stopping);
            await target.Migration.ConfigureAsync(new MigrationSettings { DowntimeLimitMs = 100 }, Stopping);
            var path = target.Place.MigrationSocket("hostile");
            await target.Migration.StartIncomingAsync($"unix:{path}", Stopping);
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), Stopping);

            // The stream is left open: what ends it is the lie, and not its end.
            await SendAsync(socket, captured.With(lie));

            if (lie == Lie.None)
            {
                await Until.TrueAsync(async () => socket.Poll(0, SelectMode.SelectRead) || await IsLoadingAsync(target), "the target loads the true stream");
                Assert.True(await IsLoadingAsync(target), $"The true stream was given up: {target.Migration.LastStatus}.");
                continue;
            }

            await Until.TrueAsync(() => Ran(target) || target.RunState is MachineRunState.Gone or MachineRunState.Crashed || target.Migration.LastStatus == "failed", $"the target gives up a stream that lies about {lie}");
            Assert.False(Ran(target), $"The target is {target.RunState}.");
            await Assert.ThrowsAsync<MachineException>(() => target.ResumeAsync(Stopping));
        }

        await source.WaitForStateAsync(MachineRunState.Running);
        Assert.Equal(0, await source.CountBadPagesAsync());
    }

    [Fact]
    public async Task A_stream_that_is_cut_in_the_middle_leaves_the_guest_running_where_it_was()
    {
        await using var move = await MachineMove.PrepareAsync(new MigrationSettings { DowntimeLimitMs = 100, MaxBandwidthBytesPerSecond = 4 << 20 });
        var before = await move.Source.ReadCounterAsync();
        var wire = await move.StartAsync();
        await move.Source.WaitForMigrationAsync(now => now.TransferredBytes > 1 << 20, "a megabyte");

        wire.Cut();

        await move.Source.WaitForMigrationAsync("failed");
        await move.Source.WaitForStateAsync(MachineRunState.Running);
        Assert.True(await move.Source.ReadCounterAsync() > before);
        Assert.Equal(0, await move.Source.CountBadPagesAsync());
        Assert.False(Ran(move.Target), $"The target is {move.Target.RunState}.");
    }

    private static bool Ran(IMachine machine) => machine.RunState is MachineRunState.Running or MachineRunState.Paused;

    private static async Task<bool> IsLoadingAsync(IMachine target) => (await target.Migration.QueryAsync(Stopping)).Status == "active";

    private static async Task FeedAsync(string path, byte[] bytes)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), Stopping);
        await SendAsync(socket, bytes);
        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // It has heard enough.
        }
    }

    private static async Task SendAsync(Socket socket, byte[] bytes)
    {
        try
        {
            for (var sent = 0; sent < bytes.Length;)
            {
                sent += await socket.SendAsync(bytes.AsMemory(sent), Stopping);
            }
        }
        catch (SocketException)
        {
            // It has heard enough.
        }
    }
}
