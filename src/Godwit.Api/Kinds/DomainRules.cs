using System.Globalization;
using System.Net.NetworkInformation;
using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds.Pods;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Machinery;
using Godwit.Base;

namespace Godwit.Api.Kinds;

/// <summary>
/// What a guest's description must hold beyond its schema. Much of it ends on QEMU's command line or as a path on a
/// host: texts that go there are held to alphabets in which nothing can be hidden.
/// </summary>
internal static class DomainRules
{
    public const int CpusMax = 255;
    public const long MemoryBytesMin = 1L << 20;
    public const long MemoryBytesMax = 16L << 40;
    public const int DisksMax = 24;
    public const int KernelArgsLengthMax = 2047;
    public const int SeedPartBytesMax = 512 * 1024;

    public static IEnumerable<FieldError> Validate(JsonObject? json, string path)
    {
        if (json is null)
        {
            return [];
        }

        VirtualMachineInstanceSpec spec;
        try
        {
            spec = GodwitJson.FromNode<VirtualMachineInstanceSpec>(json);
        }
        catch (JsonException error)
        {
            return [FieldError.Invalid(path, null, error.Message)];
        }

        var domain = $"{path}.domain";
        return ValidateCpu(spec.Domain.Cpu, $"{domain}.cpu")
            .Concat(ValidateMemory(spec.Domain, domain))
            .Concat(ValidateMachine(spec.Domain, domain))
            .Concat(ValidateKernel(spec.Domain.Firmware?.KernelBoot, $"{domain}.firmware.kernelBoot"))
            .Concat(ValidateDevices(spec.Domain.Devices, $"{domain}.devices"))
            .Concat(ValidateDisks(spec, path))
            .Concat(spec.Volumes.SelectMany((volume, index) => VolumeRules.Validate(volume, $"{path}.volumes[{index}]")))
            .Concat(ValidateInterfaces(spec, path))
            .Concat(ValidatePlacement(spec, path));
    }

    private static IEnumerable<FieldError> ValidateCpu(Cpu? cpu, string path)
    {
        if (cpu is null)
        {
            yield break;
        }

        var count = 1L;
        foreach (var (name, value) in new[] { ("cores", cpu.Cores), ("sockets", cpu.Sockets), ("threads", cpu.Threads) })
        {
            if (value is < 1 or > CpusMax)
            {
                yield return FieldError.Invalid($"{path}.{name}", value, $"must be between 1 and {CpusMax}");
            }

            count *= Math.Clamp(value ?? 1, 1, CpusMax);
        }

        if (count > CpusMax)
        {
            yield return FieldError.Invalid(path, count, $"sockets, cores and threads make more than {CpusMax} CPUs");
        }

        if (cpu.Model is { Length: > 0 } model && !IsPlainWord(model))
        {
            yield return FieldError.Invalid($"{path}.model", model, "must consist of letters, digits, '-', '_' and '.'");
        }
    }

    private static IEnumerable<FieldError> ValidateMemory(DomainSpec domain, string path)
    {
        var requests = domain.Resources?.Requests ?? Quantities.None;
        foreach (var (name, quantity) in requests)
        {
            if (name is not (Quantities.Cpu or Quantities.Memory))
            {
                yield return FieldError.NotSupported($"{path}.resources.requests[{name}]", name, Quantities.Cpu, Quantities.Memory);
            }
            else if (quantity.Value <= 0)
            {
                yield return FieldError.Invalid($"{path}.resources.requests[{name}]", quantity.ToString(), "must be greater than 0");
            }
        }

        var requested = requests.TryGetValue(Quantities.Memory, out var memory) ? memory : (Quantity?)null;
        var (where, guest) = domain.Memory?.Guest is { } said ? ($"{path}.memory.guest", said) : ($"{path}.resources.requests[memory]", requested ?? default);
        if (domain.Memory?.Guest is null && requested is null)
        {
            yield return FieldError.Required($"{path}.memory.guest", "how much memory the guest has, for example 512Mi");
        }
        else if (guest.Value < MemoryBytesMin || guest.Value > MemoryBytesMax || !decimal.IsInteger(guest.Value))
        {
            yield return FieldError.Invalid(where, guest.ToString(), "must be a whole number of bytes between 1Mi and 16Ti");
        }
    }

    private static IEnumerable<FieldError> ValidateMachine(DomainSpec domain, string path)
    {
        if (domain.Machine is { Type.Length: > 0 } machine && !IsPlainWord(machine.Type))
        {
            yield return FieldError.Invalid($"{path}.machine.type", machine.Type, "must consist of letters, digits, '-', '_' and '.'");
        }
    }

    private static IEnumerable<FieldError> ValidateKernel(KernelBoot? boot, string path)
    {
        if (boot is null)
        {
            yield break;
        }

        if (boot.Container is { } container)
        {
            if (VolumeRules.CheckImage(container.Image) is { } wrong)
            {
                yield return FieldError.Invalid($"{path}.container.image", container.Image, wrong);
            }

            foreach (var (name, file) in new[] { ("kernelPath", container.KernelPath), ("initrdPath", container.InitrdPath) })
            {
                if (file is { Length: > 0 } && VolumeRules.CheckAbsolutePath(file) is { } wrongPath)
                {
                    yield return FieldError.Invalid($"{path}.container.{name}", file, wrongPath);
                }
            }
        }

        if (boot.Container?.ImagePullSecret is { } secret && Names.CheckDnsSubdomain(secret) is { } wrongSecret)
        {
            yield return FieldError.Invalid($"{path}.container.imagePullSecret", secret, wrongSecret);
        }

        if (boot.KernelArgs is { } arguments && (arguments.Length > KernelArgsLengthMax || arguments.Any(char.IsControl)))
        {
            yield return FieldError.Invalid($"{path}.kernelArgs", null, $"must be one line of at most {KernelArgsLengthMax} characters");
        }
    }

    private static IEnumerable<FieldError> ValidateDevices(Devices devices, string path)
    {
        const string notThere = "Godwit guests do not have this device: leave the field out or set it to false";
        if (devices.AutoattachGraphicsDevice == true)
        {
            yield return FieldError.Invalid($"{path}.autoattachGraphicsDevice", true, notThere);
        }

        if (devices.AutoattachMemBalloon == true)
        {
            yield return FieldError.Invalid($"{path}.autoattachMemBalloon", true, notThere);
        }

        if (devices.AutoattachSerialConsole == false)
        {
            yield return FieldError.Invalid($"{path}.autoattachSerialConsole", false, "every Godwit guest has a serial console: leave the field out or set it to true");
        }
    }

    private static IEnumerable<FieldError> ValidateDisks(VirtualMachineInstanceSpec spec, string path)
    {
        var disks = spec.Domain.Devices.Disks;
        var (volumes, orders) = (spec.Volumes.Select(volume => volume.Name).ToHashSet(StringComparer.Ordinal), new HashSet<int>());
        if (disks.Count > DisksMax)
        {
            yield return new FieldError(FieldErrorKind.TooMany, $"{path}.domain.devices.disks", $"must have at most {DisksMax} items");
        }

        for (var index = 0; index < disks.Count; index++)
        {
            var (disk, where) = (disks[index], $"{path}.domain.devices.disks[{index}]");
            if (Names.CheckDnsLabel(disk.Name) is { } wrong)
            {
                yield return FieldError.Invalid($"{where}.name", disk.Name, wrong);
            }
            else if (!volumes.Remove(disk.Name))
            {
                yield return FieldError.Invalid($"{where}.name", disk.Name, "no volume has this name: each disk needs a volume of its own");
            }

            if (disk.Target is not null && disk.Cdrom is not null)
            {
                yield return FieldError.Invalid(where, null, "only one of disk and cdrom may be set");
            }

            if (disk.BootOrder is { } order && (order < 1 || !orders.Add(order)))
            {
                yield return FieldError.Invalid($"{where}.bootOrder", order, "must be 1 or more, and no other device's");
            }
        }

        foreach (var name in volumes)
        {
            var index = spec.Volumes.TakeWhile(volume => volume.Name != name).Count();
            yield return FieldError.Invalid($"{path}.volumes[{index}].name", name, "no disk has this name: the guest would not see the volume");
        }
    }

    private static IEnumerable<FieldError> ValidateInterfaces(VirtualMachineInstanceSpec spec, string path)
    {
        var cards = spec.Domain.Devices.Interfaces;
        var networks = spec.Networks.Select(network => network.Name).ToHashSet(StringComparer.Ordinal);
        if (spec.Networks.Count > 1)
        {
            yield return FieldError.Invalid($"{path}.networks", null, "there is one network, pod: more than one network is not supported");
        }

        for (var index = 0; index < cards.Count; index++)
        {
            var (card, where) = (cards[index], $"{path}.domain.devices.interfaces[{index}]");
            if (Names.CheckDnsLabel(card.Name) is { } wrong)
            {
                yield return FieldError.Invalid($"{where}.name", card.Name, wrong);
            }
            else if (!networks.Remove(card.Name))
            {
                yield return FieldError.Invalid($"{where}.name", card.Name, "no network has this name: each interface needs a network of its own");
            }

            if (card.MacAddress is { Length: > 0 } mac && CheckMac(mac) is { } wrongMac)
            {
                yield return FieldError.Invalid($"{where}.macAddress", mac, wrongMac);
            }
        }

        foreach (var name in networks)
        {
            var index = spec.Networks.TakeWhile(network => network.Name != name).Count();
            yield return FieldError.Invalid($"{path}.networks[{index}].name", name, "no interface has this name");
        }
    }

    private static IEnumerable<FieldError> ValidatePlacement(VirtualMachineInstanceSpec spec, string path)
    {
        if (spec.TerminationGracePeriodSeconds is < 0)
        {
            yield return FieldError.Invalid($"{path}.terminationGracePeriodSeconds", spec.TerminationGracePeriodSeconds, "must be greater than or equal to 0");
        }

        foreach (var error in PodRules.ValidateNodeSelector(spec.NodeSelector, $"{path}.nodeSelector").Concat(PodRules.ValidateTolerations(spec.Tolerations, $"{path}.tolerations")))
        {
            yield return error;
        }
    }

    private static string? CheckMac(string mac)
    {
        var written = mac.Length == 17 && mac.Where((_, index) => index % 3 == 2).All(letter => letter == ':');
        if (!written || !PhysicalAddress.TryParse(mac, out var address))
        {
            return "must be six bytes in hexadecimal with colons, for example 02:00:00:00:00:01";
        }

        return (address.GetAddressBytes()[0] & 1) == 0 ? null : "must be the address of one card: the lowest bit of its first byte must be 0";
    }

    private static bool IsPlainWord(string text) =>
        text.Length <= 64 && char.IsAsciiLetterOrDigit(text[0]) && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.');
}
