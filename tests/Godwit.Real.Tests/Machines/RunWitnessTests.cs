using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Machines;

/// <summary>That the witness of the fault matrix would notice what it is there for.</summary>
[Trait("Needs", "root")]
public sealed class RunWitnessTests
{
    [Fact]
    public async Task Two_copies_that_run_at_once_are_noticed()
    {
        var name = $"test/twins-{Environment.ProcessId}";
        await using var here = await MachineLab.CreateAsync();
        await using var there = await MachineLab.CreateAsync();
        const string Busy = "tiny.rate=-1 tiny.set=16M";
        await using var witness = RunWitness.Of(name);
        await here.BootAsync(here.Spec(Busy) with { DisplayName = name });
        Assert.Null(witness.Violation);

        await there.BootAsync(there.Spec(Busy) with { DisplayName = name });

        await Until.TrueAsync(() => witness.Violation is not null, "the witness sees both run");
    }
}
