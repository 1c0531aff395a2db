using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Qmp.Tests;

/// <summary>The same client against QEMU itself, with no machine in it.</summary>
[Trait("Needs", "qemu")]
public sealed class RealQemuTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Real_QEMU_answers_the_commands_that_need_no_guest()
    {
        await using var qemu = await EmptyQemu.StartAsync(Stopping);
        var connection = qemu.Connection;
        Assert.True(connection.Greeting.OutOfBand);
        Assert.Equal(connection.Greeting.Version.Major, (await connection.ExecuteAsync(QmpCommands.QueryVersion, Stopping)).Qemu.Major);
        Assert.Equal("running", (await connection.ExecuteAsync(QmpCommands.QueryStatus, Stopping)).Status);
        Assert.Null((await connection.ExecuteAsync(QmpCommands.QueryMigrate, Stopping)).Status);
        Assert.Contains(await connection.ExecuteAsync(QmpCommands.QueryMachines, Stopping), type => type.Alias == "q35");
        Assert.Contains(await connection.ExecuteAsync(QmpCommands.QueryCpuDefinitions, Stopping), model => model.Name == "max");
        Assert.Empty(await connection.ExecuteAsync(QmpCommands.QueryCpus, Stopping));
        Assert.NotEmpty(await connection.ExecuteAsync(QmpCommands.QueryYank, Stopping));
        await connection.ExecuteAsync(QmpCommands.MigrateSetCapabilities([new("events", true), new("pause-before-switchover", true)]), Stopping);
        await connection.ExecuteAsync(QmpCommands.MigrateSetParameters(new QmpMigrationParameters { MaxBandwidth = 1 << 20, DowntimeLimit = 30 }), Stopping);

        // Nothing to yank is a refusal out-of-band, in QEMU's words.
        await Assert.ThrowsAsync<QmpCommandException>(() => connection.ExecuteAsync(QmpCommands.YankMigration, Stopping));
    }

    [Fact]
    public async Task Quit_ends_QEMU_and_the_session()
    {
        await using var qemu = await EmptyQemu.StartAsync(Stopping);
        await qemu.Connection.ExecuteAsync(QmpCommands.Quit, Stopping);
        Assert.IsType<QmpClosedException>(await qemu.Connection.Completion.WaitAsync(TimeSpan.FromMinutes(2), Stopping));
    }

    private sealed class EmptyQemu(Process process, string folder, QmpConnection connection) : IAsyncDisposable
    {
        public QmpConnection Connection { get; } = connection;

        public static async Task<EmptyQemu> StartAsync(CancellationToken stopping)
        {
            const string program = "/usr/bin/qemu-system-x86_64";
            Assert.SkipUnless(File.Exists(program), $"{program} is not installed");
            var folder = Directory.CreateTempSubdirectory($"godwit-qmp-{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}-").FullName;
            var socket = Path.Combine(folder, "qmp.sock");
            var process = Process.Start(program, ["-machine", "none", "-nodefaults", "-display", "none", "-qmp", $"unix:{socket},server=on,wait=off"]);
            try
            {
                using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping);
                bound.CancelAfter(TimeSpan.FromSeconds(60));
                return new EmptyQemu(process, folder, await ConnectAsync(process, socket, bound.Token));
            }
            catch
            {
                process.Kill();
                throw;
            }
        }

        public async ValueTask DisposeAsync()
        {
            await Connection.DisposeAsync();
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            process.Dispose();
            Directory.Delete(folder, recursive: true);
        }

        private static async Task<QmpConnection> ConnectAsync(Process process, string socket, CancellationToken stopping)
        {
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20), TimeProvider.System);
            while (true)
            {
                try
                {
                    return await QmpConnection.ConnectAsync(socket, new QmpOptions(), TimeProvider.System, NullLogger.Instance, stopping);
                }
                catch (SocketException) when (!process.HasExited)
                {
                    await timer.WaitForNextTickAsync(stopping);
                }
            }
        }
    }
}
