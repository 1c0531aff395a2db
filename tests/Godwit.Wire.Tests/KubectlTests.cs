namespace Godwit.Wire.Tests;

/// <summary>What a user of kubectl does, with the real one.</summary>
[Trait("Needs", "kubectl")]
public sealed class KubectlTests
{
    [Fact]
    public async Task It_finds_out_what_is_served_and_explains_it()
    {
        await using var kubectl = await Kubectl.StartAsync();
        Assert.Contains("kubevirt.io/v1\n", await kubectl.RunAsync("api-versions"), StringComparison.Ordinal);
        var resources = await kubectl.RunAsync("api-resources --no-headers -o wide");
        Assert.Matches(@"virtualmachineinstances +vmi,vmis +kubevirt.io/v1 +true +VirtualMachineInstance +create,delete,deletecollection,get,list,patch,update,watch", resources);
        Assert.Contains("What each incarnation is made from.", await kubectl.RunAsync("explain vm.spec"), StringComparison.Ordinal);
        Assert.Contains("autoattachSerialConsole", await kubectl.RunAsync("explain vmi.spec.domain --recursive"), StringComparison.Ordinal);
    }
}
