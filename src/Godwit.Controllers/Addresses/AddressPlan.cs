namespace Godwit.Controllers.Addresses;

/// <summary>What a guest gets, or why it gets nothing now.</summary>
internal abstract record AddressPlan
{
    private AddressPlan()
    {
    }

    /// <summary>It has what it needs, or needs nothing.</summary>
    public sealed record Nothing : AddressPlan;

    /// <summary>Write these into <c>status.interfaces</c>.</summary>
    public sealed record Assign(IReadOnlyList<InterfaceStatus> Interfaces) : AddressPlan;

    /// <summary>It has to wait; the reason is one word for programs.</summary>
    public sealed record Wait(string Reason, string Message) : AddressPlan;
}

/// <summary>
/// Gives each interface of a guest a MAC and an IPv4 address before the guest is scheduled. An address belongs to a guest
/// from the moment that it stands in its status until the guest has ended or its object is gone; it moves with the guest.
/// One planner at a time decides (the leader's one worker), from a view that contains its own latest writes, so that no
/// address is given out twice.
/// </summary>
internal static class AddressPlanner
{
    public const string PoolMissing = "AddressPoolMissing";
    public const string PoolExhausted = "AddressPoolExhausted";
    public const string MacTaken = "MacAddressTaken";

    private const int MacAttemptsMax = 16;
    private const string DefaultInterface = "default";

    /// <param name="vmi">The guest.</param>
    /// <param name="others">All other guests.</param>
    /// <param name="settings">The ConfigMap of the network; null when there is none.</param>
    /// <param name="takenByPods">Addresses that pods have.</param>
    public static AddressPlan For(
        VirtualMachineInstance vmi, IEnumerable<VirtualMachineInstance> others, ConfigMap? settings, IEnumerable<string>? takenByPods = null)
    {
        var names = InterfaceNames(vmi);
        if (names.Count == 0 || HasEnded(vmi) || HasAll(vmi, names))
        {
            return new AddressPlan.Nothing();
        }

        if (!AddressPool.TryRead(settings, out var pool, out var error))
        {
            return new AddressPlan.Wait(PoolMissing, error);
        }

        var taken = others.Where(other => !HasEnded(other)).SelectMany(other => other.Status.Interfaces).ToList();
        var takenMacs = taken.Select(each => each.Mac).OfType<string>().ToHashSet(StringComparer.OrdinalIgnoreCase);
        var takenAddresses = taken.Select(each => each.IpAddress).OfType<string>().Concat(takenByPods ?? []).ToHashSet(StringComparer.Ordinal);
        var interfaces = new List<InterfaceStatus>();
        foreach (var name in names)
        {
            if (MacOf(vmi, name, takenMacs) is not { } mac)
            {
                return new AddressPlan.Wait(MacTaken, $"the MAC address of interface {name} is in use by another guest");
            }

            var known = vmi.Status.Interfaces.FirstOrDefault(each => each.Name == name)?.IpAddress;
            var address = known is { Length: > 0 } && !takenAddresses.Contains(known) ? known : pool.FindFree(IdentityOf(vmi, name), takenAddresses.Contains);
            if (address is null)
            {
                return new AddressPlan.Wait(PoolExhausted, $"all {pool.Capacity} addresses of the guests' network are in use");
            }

            takenMacs.Add(mac);
            takenAddresses.Add(address);
            interfaces.Add(new InterfaceStatus { Name = name, Mac = mac, IpAddress = address, IpAddresses = [address] });
        }

        return new AddressPlan.Assign(interfaces);
    }

    /// <summary>True when nothing more is missing for the guest to be scheduled.</summary>
    public static bool IsComplete(VirtualMachineInstance vmi) => HasAll(vmi, InterfaceNames(vmi));

    /// <summary>Addresses that guests have which have not ended.</summary>
    public static IEnumerable<string> TakenBy(IEnumerable<VirtualMachineInstance> guests) =>
        guests.Where(guest => !HasEnded(guest)).SelectMany(guest => guest.Status.Interfaces).Select(each => each.IpAddress).OfType<string>();

    private static bool HasAll(VirtualMachineInstance vmi, IReadOnlyList<string> names) => names.All(
        name => vmi.Status.Interfaces.Any(each => each.Name == name && !string.IsNullOrEmpty(each.Mac) && !string.IsNullOrEmpty(each.IpAddress)));

    private static bool HasEnded(VirtualMachineInstance vmi) => VirtualMachineInstancePhases.IsFinal(vmi.Status.Phase);

    private static IReadOnlyList<string> InterfaceNames(VirtualMachineInstance vmi)
    {
        var devices = vmi.Spec.Domain.Devices;
        return devices.Interfaces.Count > 0 ? [.. devices.Interfaces.Select(each => each.Name)]
            : devices.AutoattachPodInterface != false ? [DefaultInterface]
            : [];
    }

    /// <summary>The incarnations of one VM share its identity, so a restarted guest keeps its MAC.</summary>
    private static string IdentityOf(VirtualMachineInstance vmi, string interfaceName)
    {
        var owner = vmi.Metadata.OwnerReferences.FirstOrDefault(each => each.Controller == true)?.Uid;
        return $"{owner ?? vmi.Metadata.Uid}/{interfaceName}";
    }

    private static string? MacOf(VirtualMachineInstance vmi, string interfaceName, HashSet<string> taken)
    {
        var asked = vmi.Spec.Domain.Devices.Interfaces.FirstOrDefault(each => each.Name == interfaceName)?.MacAddress;
        if (!string.IsNullOrEmpty(asked))
        {
            return taken.Contains(asked) ? null : asked;
        }

        for (var attempt = 0; attempt < MacAttemptsMax; attempt++)
        {
            var mac = AddressPool.MacFor(IdentityOf(vmi, interfaceName), attempt);
            if (!taken.Contains(mac))
            {
                return mac;
            }
        }

        return null;
    }
}
