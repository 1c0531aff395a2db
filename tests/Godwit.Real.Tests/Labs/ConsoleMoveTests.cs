namespace Godwit.Real.Tests.Labs;

/// <summary>What a person watches of a guest goes along when the guest moves.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class ConsoleMoveTests(GodwitLab lab)
{
    private const int Lines = 40;
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(4);

    [Fact]
    public async Task A_console_and_a_followed_log_stay_open_through_a_move_and_miss_nothing()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "console-moves", "tiny.ballast=8M");
        var typed = $"i=0; while [ $i -lt {Lines} ]; do echo line-$i-end; i=$((i+1)); sleep 0.3; done\n";

        var watching = Command.RunAsync(GodwitLab.Program, ["vm", "console", guest.Name, "--linger", "20s", "--instance", lab.Instance], Bound, typed);
        var following = Command.RunAsync(GodwitLab.Program, ["vm", "log", guest.Name, "--follow", "--instance", lab.Instance], Bound);
        await Eventually.IsTrueAsync("the guest prints", Bound, async () => (await lab.GodwitAsync("vm", "log", guest.Name)).Output.Contains("line-3-end", StringComparison.Ordinal));
        (await lab.GodwitAsync(Bound, "migrate", guest.Name, "--mode", "precopy")).MustSucceed();

        var expected = Enumerable.Range(0, Lines).Select(number => $"line-{number}-end").ToList();
        Assert.Equal(expected, LinesOf((await watching).MustSucceed().Output));
        (await lab.KubectlAsync(null, "delete", "vm", guest.Name, "--wait=true", "--timeout=60s")).MustSucceed(); // Which ends what is followed.
        Assert.Equal(expected, LinesOf((await following).Output));
    }

    private static List<string> LinesOf(string output) => output
        .Split('\n')
        .Select(line => line.Trim('\r', ' '))
        .Where(line => line.StartsWith("line-", StringComparison.Ordinal) && line.EndsWith("-end", StringComparison.Ordinal))
        .ToList();
}
