using System.Diagnostics;
using Godwit.Linux.Files;

namespace Godwit.Linux.Tests.Files;

[Trait("Needs", "root")]
public sealed class FileRoomTests
{
    private const int RoomBytes = 64 << 10;

    [Fact]
    public async Task What_was_set_aside_is_there_when_the_disk_is_full()
    {
        Needs.Root();
        using var folder = new TemporaryFolder();
        await RunAsync("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder.Path);
        try
        {
            await File.WriteAllTextAsync(folder["log"], "begun", TestContext.Current.CancellationToken);
            Assert.True(FileRoom.TryReserve(folder["log"], RoomBytes));
            Assert.Equal(5, new FileInfo(folder["log"]).Length);
            Fill(folder["filler"]);
            Fill(folder["filler"]);
            Assert.False(FileRoom.TryReserve(folder["log"], 2 * RoomBytes));
            await File.AppendAllBytesAsync(folder["log"], new byte[RoomBytes - 5], TestContext.Current.CancellationToken);
            Assert.Throws<IOException>(() => File.AppendAllBytes(folder["log"], new byte[RoomBytes]));
        }
        finally
        {
            await RunAsync("umount", folder.Path);
        }
    }

    /// <summary>Appends until nothing more goes.</summary>
    private static void Fill(string path)
    {
        try
        {
            while (true)
            {
                File.AppendAllBytes(path, new byte[4096]);
            }
        }
        catch (IOException)
        {
            // Full: that is what was wanted.
        }
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
    }
}
