using CsCheck;
using Godwit.Controllers.Addresses;

namespace Godwit.Controllers.Tests.Plans;

public sealed class AddressPlannerTests
{
    [Theory]
    [InlineData("10.77.0.0/30", null, 1)]
    [InlineData("10.77.0.0/24", "10.77.0.1", 253)]
    [InlineData("10.77.5.9/16", "10.77.200.1", 65_533)]
    public void A_range_holds_all_but_its_ends_and_the_gateway(string cidr, string? gateway, long capacity)
    {
        Assert.True(AddressPool.TryRead(Settings(cidr, gateway), out var pool, out var error), error);
        Assert.Equal(capacity, pool.Capacity);
    }

    [Fact]
    public void The_observers_address_is_given_to_no_guest_however_many_ask()
    {
        var settings = Settings("10.77.0.0/29", "10.77.0.1", "10.77.0.6");
        var guests = new List<VirtualMachineInstance>();
        while (AddressPlanner.For(Vmi($"guest-{guests.Count}"), guests, settings) is AddressPlan.Assign assign)
        {
            var vmi = Vmi($"guest-{guests.Count}");
            guests.Add(vmi with { Status = vmi.Status with { Interfaces = assign.Interfaces } });
        }

        Assert.Equal(["10.77.0.2", "10.77.0.3", "10.77.0.4", "10.77.0.5"], guests.Select(guest => guest.Status.Interfaces[0].IpAddress).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("10.77.0.0")]
    [InlineData("10.77.0.0/31")]
    [InlineData("10.77.0.0/7")]
    [InlineData("10.77.0.0/-1")]
    [InlineData("10.77/16")]
    [InlineData("fd00::/64")]
    [InlineData("10.77.0.0/24", "10.78.0.1")]
    [InlineData("10.77.0.0/24", "gateway")]
    public void Settings_that_make_no_range_are_said(string cidr, string? gateway = null)
    {
        var plan = Assert.IsType<AddressPlan.Wait>(AddressPlanner.For(Vmi("a"), [], Settings(cidr, gateway)));

        Assert.Equal(AddressPlanner.PoolMissing, plan.Reason);
        Assert.Contains("godwit-network", plan.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_settings_it_waits() => Assert.IsType<AddressPlan.Wait>(AddressPlanner.For(Vmi("a"), [], null));

    [Fact]
    public void Whatever_comes_and_goes_no_two_living_guests_share_an_address_or_a_MAC_and_none_has_the_gateways() =>
        Gen.Select(Gen.Int[0, 9], Gen.Bool).List[0, 60].Sample(steps =>
        {
            var guests = new Dictionary<int, VirtualMachineInstance>(); // Six addresses for ten guests.
            foreach (var (id, comes) in steps)
            {
                if (!comes)
                {
                    guests.Remove(id);
                }
                else if (!guests.ContainsKey(id))
                {
                    var vmi = Vmi($"guest-{id}");
                    var plan = AddressPlanner.For(vmi, guests.Values, Settings("10.77.0.0/29", "10.77.0.6"));
                    Assert.Equal(guests.Count < 5, plan is AddressPlan.Assign);
                    if (plan is AddressPlan.Assign assign)
                    {
                        guests[id] = vmi with { Status = vmi.Status with { Interfaces = assign.Interfaces } };
                    }
                }

                var given = guests.Values.SelectMany(guest => guest.Status.Interfaces).ToList();
                Assert.Equal(given.Count, given.Select(each => each.IpAddress).Distinct().Count());
                Assert.Equal(given.Count, given.Select(each => each.Mac).Distinct().Count());
                Assert.All(given, each => Assert.Contains(each.IpAddress, Enumerable.Range(1, 5).Select(last => $"10.77.0.{last}")));
            }
        });

    [Fact]
    public void An_ended_guest_gives_its_address_back_and_a_waiting_one_says_that_the_pool_is_exhausted()
    {
        var first = Assigned(Vmi("first"), []);

        var wait = Assert.IsType<AddressPlan.Wait>(AddressPlanner.For(Vmi("second"), [first], Settings("10.77.0.0/30")));
        Assert.Equal((AddressPlanner.PoolExhausted, "all 1 addresses of the guests' network are in use"), (wait.Reason, wait.Message));

        var ended = first with { Status = first.Status with { Phase = VirtualMachineInstancePhases.Succeeded } };
        Assert.IsType<AddressPlan.Assign>(AddressPlanner.For(Vmi("second"), [ended], Settings("10.77.0.0/30")));
    }

    [Fact]
    public void A_restarted_VM_finds_its_own_MAC_and_address_again()
    {
        var before = Assigned(Vmi("a", owner: "vm", uid: "one"), [], "10.77.0.0/16");
        var after = Assigned(Vmi("a", owner: "vm", uid: "two"), [], "10.77.0.0/16");

        Assert.Equal(before.Status.Interfaces[0].Mac, after.Status.Interfaces[0].Mac);
        Assert.Equal(before.Status.Interfaces[0].IpAddress, after.Status.Interfaces[0].IpAddress);
    }

    [Fact]
    public void A_MAC_that_the_user_chose_is_kept_and_refused_where_it_is_in_use()
    {
        var first = Assigned(WithMac(Vmi("a"), "52:54:00:00:00:01"), [], "10.77.0.0/16");
        Assert.Equal("52:54:00:00:00:01", first.Status.Interfaces[0].Mac);

        var wait = Assert.IsType<AddressPlan.Wait>(AddressPlanner.For(WithMac(Vmi("b"), "52:54:00:00:00:01"), [first], Settings("10.77.0.0/16")));
        Assert.Equal(AddressPlanner.MacTaken, wait.Reason);
    }

    [Fact]
    public void A_guest_that_wants_no_interface_gets_none_and_one_that_has_its_own_keeps_it()
    {
        var alone = Vmi("a") with { Spec = new() { Domain = new() { Devices = new() { AutoattachPodInterface = false } } } };
        Assert.IsType<AddressPlan.Nothing>(AddressPlanner.For(alone, [], null));
        Assert.IsType<AddressPlan.Nothing>(AddressPlanner.For(Assigned(Vmi("b"), []), [], Settings("10.77.0.0/30")));
    }

    private static VirtualMachineInstance Assigned(VirtualMachineInstance vmi, IReadOnlyList<VirtualMachineInstance> others, string cidr = "10.77.0.0/30")
    {
        var assign = Assert.IsType<AddressPlan.Assign>(AddressPlanner.For(vmi, others, Settings(cidr)));
        return vmi with { Status = vmi.Status with { Interfaces = assign.Interfaces } };
    }

    private static VirtualMachineInstance WithMac(VirtualMachineInstance vmi, string mac) => vmi with
    {
        Spec = new() { Domain = new() { Devices = new() { Interfaces = [new Interface { Name = "default", MacAddress = mac, Bridge = new() }] } } },
    };

    private static ConfigMap Settings(string cidr, string? gateway = null, string? observer = null) => new()
    {
        Data = new (string Key, string? Value)[] { ("cidr", cidr), ("gateway", gateway), ("observer", observer) }
            .Where(entry => entry.Value is not null)
            .ToDictionary(entry => entry.Key, entry => entry.Value!, StringComparer.Ordinal),
    };

    private static VirtualMachineInstance Vmi(string name, string? owner = null, string? uid = null) => new()
    {
        Metadata = new ObjectMeta
        {
            Namespace = "ns",
            Name = name,
            Uid = uid ?? "uid-" + name,
            OwnerReferences = owner is null ? [] : [new OwnerReference { Uid = owner, Controller = true }],
        },
    };
}
