namespace Godwit.Machines.Tests;

internal static class Samples
{
    public static MachineSpec KernelGuest { get; } = new()
    {
        Id = new MachineId(Guid.Parse("0f8fad5b-d9cb-469f-a165-70867728950e")),
        DisplayName = "default/web",
        CpuCount = 2,
        MemoryBytes = 512 << 20,
        MachineType = "pc-q35-10.0",
        CpuModel = "max",
        Kernel = new DirectKernel("/images/tiny/vmlinuz", "/images/tiny/initrd", "console=ttyS0"),
        Nics = [new MachineNic("default", "02:00:00:00:00:01", "gw-0f8fad5b", 1450)],
    };
}
