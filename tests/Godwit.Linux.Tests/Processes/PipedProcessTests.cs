using Godwit.Linux.Processes;

namespace Godwit.Linux.Tests.Processes;

public sealed class PipedProcessTests
{
    [Fact]
    public async Task A_child_that_ends_after_we_let_go_of_it_leaves_no_zombie()
    {
        var child = PipedProcess.Start(["/bin/sh", "-c", "read -r line <&3"], new Dictionary<string, string>(), place: null, "/dev/null", FileAccess.Write);
        var identity = child.Process!.Identity;
        Assert.True(Directory.Exists($"/proc/{identity.ProcessId}"));
        child.Dispose(); // Its input ends here, and so does it, some time later.
        await Wait.ForAsync(() => ProcessStat.Read(identity.ProcessId)?.StartTimeTicks != identity.StartTimeTicks, "it has ended and was reaped");
    }
}
