using CsCheck;

namespace Godwit.Machines.Tests;

public sealed class UserIdRangeTests
{
    [Fact]
    public void User_lies_in_the_range_and_is_nobody_elses() =>
        Gen.Select(Gen.Guid, Gen.UInt[0, 4_000_000_000], Gen.UInt[1, 50], Gen.UInt[0, 60].Array[0, 40]).Sample(pick =>
        {
            var (id, first, count, offsets) = pick;
            var taken = offsets.Select(offset => first + offset).ToHashSet();
            var free = Enumerable.Range(0, (int)count).Any(offset => !taken.Contains(first + (uint)offset));
            try
            {
                var user = new UserIdRange(first, count).Choose(new MachineId(id), taken);
                return user >= first && user - first < count && !taken.Contains(user);
            }
            catch (MachineException)
            {
                return !free;
            }
        });

    [Fact]
    public void Same_machine_gets_the_same_user_on_every_host_where_it_is_free() =>
        Gen.Guid.Sample(id => new UserIdRange(0x7000_0000, 1 << 24).Choose(new MachineId(id), new HashSet<uint>()) == new UserIdRange(0x7000_0000, 1 << 24).Choose(new MachineId(id), new HashSet<uint> { 1 }));
}
