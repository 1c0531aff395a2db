using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;

namespace Godwit.Scheduling.Tests;

/// <summary>Objects with what a test is about, and sane values for the rest.</summary>
internal static class Build
{
    public const long MiB = 1 << 20;

    public static NodeFacts Node(string name, long memoryMiB = 4096, long millicores = 4000) => new()
    {
        Name = name,
        IsReady = true,
        HasNetwork = true,
        Labels = new Dictionary<string, string> { [LabelNames.Hostname] = name },
        Allocatable = new ResourceAmount(memoryMiB * MiB, millicores),
    };

    public static GuestNeeds Guest(long memoryMiB = 512, long millicores = 100) => new()
    {
        Guest = "ns/guest",
        Amount = new ResourceAmount(memoryMiB * MiB, millicores),
        IsNetworked = true,
    };

    public static VirtualMachineInstance Vmi(string name = "guest", string memory = "512Mi", string? nodeName = null, string? phase = null) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = name, Uid = "uid-" + name },
        Spec = new VirtualMachineInstanceSpec { Domain = new DomainSpec { Memory = new Memory { Guest = Quantity.Parse(memory) } } },
        Status = new VirtualMachineInstanceStatus { NodeName = nodeName, Phase = phase },
    };
}
