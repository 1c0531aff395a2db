using Godwit.Machines;
using Godwit.Node.Guests;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Node.Tests.Guests;

public sealed class HostRoomTests
{
    private const long MiB = 1 << 20;

    [Theory]
    [InlineData(256, 256, 256, null)]
    [InlineData(256, 255, 4096, "TargetMemoryShort: the guest needs 256Mi memory, 255Mi are not given to other guests")]
    [InlineData(256, 4096, 100, "TargetMemoryShort: the guest needs 256Mi memory, 100Mi are left on the host by all that runs there")]
    [InlineData(256, -50, 4096, "TargetMemoryShort: the guest needs 256Mi memory, 0Mi are not given to other guests")]
    public void A_guest_that_does_not_fit_is_named_with_what_is_free_and_why(long needed, long unassigned, long available, string? expected)
    {
        var shortage = HostRoom.FindShortage(needed * MiB, unassigned * MiB, available * MiB);

        Assert.Equal(expected is not null, shortage is not null);
        Assert.StartsWith(expected ?? "", shortage ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_promised_to_one_arrival_is_not_there_for_another_until_it_is_given_up()
    {
        var folder = Directory.CreateTempSubdirectory($"godwit-room-{Environment.ProcessId}-").FullName;
        await using var machines = new LocalMachines(new FakeMachineHost(folder), NullLogger.Instance);
        var room = new HostRoom(1000 * MiB, machines, () => 1000 * MiB);
        var (first, second) = (new MachineId(Guid.NewGuid()), new MachineId(Guid.NewGuid()));

        using (room.Take(first, 600 * MiB))
        {
            Assert.Contains("400Mi", Assert.Throws<MachineException>(() => room.Take(second, 600 * MiB)).Message, StringComparison.Ordinal);
        }

        room.Take(second, 600 * MiB).Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
